"""A headless Chromium for the tests of pages."""

import io
import shutil
import time
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@contextmanager
def chromium():
    """A browser, or a skipped test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Debian's chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def picture(page):
    """What the page's canvas shows, uint8 [height, width, 3]."""
    page.evaluate("document.querySelectorAll('.mantine-Notification-root').forEach(element => element.remove())")
    return np.asarray(Image.open(io.BytesIO(page.screenshot(timeout=60_000))).convert("RGB"))


def wait_for(condition, seconds=30.0):
    """Whether the condition came true in time; it is asked again and again."""
    end = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return held


def where(pixels, channel):
    """Mean column and row of the pixels in which one channel by far outshines the others, and how many there are."""
    others = np.delete(pixels.astype(int), channel, axis=2).max(axis=2)
    rows, columns = np.nonzero(pixels[..., channel] > others + 80)
    return (columns.mean(), rows.mean(), len(rows)) if len(rows) else (0.0, 0.0, 0)
