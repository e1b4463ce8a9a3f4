"""What a design is for: targets and how far measurements are from them. The atoms' rewards are the C files here."""
