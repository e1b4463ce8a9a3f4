"""GLSL 3.30 of the window: a vertex shader for each kind of thing, whose instances are rows of a scene's arrays."""

HEAD = """#version 330
uniform mat4 view, projection;
uniform vec2 pixels;        // of the picture
uniform float perspective;  // 1, or 0
uniform float clear;        // 1: what is not opaque, 0: what is

// Clear things are drawn after the others: in the other pass they are moved out of the picture.
bool hidden(float opacity) { return (opacity < 1.0) != (clear > 0.5); }
const vec4 NOWHERE = vec4(2.0, 2.0, 2.0, 1.0);
"""

# Light from above left of the eye, and some from everywhere; edges are darker, so that equal neighbours are told apart.
LIGHT = """
vec3 lit(vec3 colour, vec3 normal, vec3 to_eye) {
    float light = 0.56 + 0.47 * max(dot(normal, normalize(vec3(-0.35, 0.55, 0.9))), 0.0);
    float facing = max(dot(normal, to_eye), 0.0);
    float edge = mix(0.45, 1.0, smoothstep(0.0, 0.38, facing));
    float gloss = pow(max(dot(normal, normalize(vec3(-0.3, 0.5, 1.2) + to_eye)), 0.0), 60.0);
    return colour * light * edge + 0.16 * gloss;
}
"""

# A square that covers the sphere, across the line of sight to its middle. In perspective the outline is a tangent cone,
# wider than the sphere by d / sqrt(d^2 - r^2).
SPHERE_VERTEX = (
    HEAD
    + """
in vec3 place;   // corner, -1..1
in vec4 ball;    // centre, radius
in vec4 colour;
out vec3 point;
flat out vec3 centre;
flat out float radius;
flat out vec4 tint;

void main() {
    centre = (view * vec4(ball.xyz, 1.0)).xyz;
    radius = ball.w;
    tint = colour;
    vec3 to = perspective > 0.5 ? normalize(centre) : vec3(0.0, 0.0, -1.0);
    vec3 side = normalize(cross(to, vec3(0.0, 1.0, 0.0)));
    float d2 = dot(centre, centre), r2 = radius * radius;
    float wide = perspective > 0.5 ? sqrt(d2 / max(d2 - r2, 0.01 * d2)) : 1.0;
    point = centre + radius * wide * (place.x * side + place.y * cross(side, to));
    bool around_eye = perspective > 0.5 && d2 <= r2;
    gl_Position = hidden(colour.a) || around_eye ? NOWHERE : projection * vec4(point, 1.0);
}
"""
)

# From the point on the square the ray goes to the sphere: distances stay small, so that single precision is enough.
SPHERE_FRAGMENT = (
    HEAD
    + LIGHT
    + """
in vec3 point;
flat in vec3 centre;
flat in float radius;
flat in vec4 tint;
out vec4 shown;

void main() {
    vec3 way = perspective > 0.5 ? normalize(point) : vec3(0.0, 0.0, -1.0);
    vec3 from = point - centre;
    vec3 beside = from - dot(from, way) * way;
    float miss = length(beside);
    if (miss > radius) discard;
    vec3 normal = (beside - way * sqrt(radius * radius - miss * miss)) / radius;
    vec4 clip = projection * vec4(centre + radius * normal, 1.0);
    gl_FragDepth = clamp(0.5 + 0.5 * clip.z / clip.w, 0.0, 1.0);
    shown = vec4(lit(tint.rgb, normal, -way), tint.a);
}
"""
)

BOX_VERTEX = (
    HEAD
    + """
in vec3 place;   // of a cube of edge 1
in vec3 outward;
in vec3 middle;
in vec3 edges;
in vec4 colour;
out vec3 point, normal;
flat out vec4 tint;

void main() {
    tint = colour;
    point = (view * vec4(middle + edges * place, 1.0)).xyz;
    normal = mat3(view) * outward;
    gl_Position = hidden(colour.a) ? NOWHERE : projection * vec4(point, 1.0);
}
"""
)

CYLINDER_VERTEX = (
    HEAD
    + """
in vec3 place;   // of a cylinder of radius and length 1 along z
in vec3 outward;
in vec3 low;
in vec3 high;
in float radius;
in vec4 colour;
out vec3 point, normal;
flat out vec4 tint;

void main() {
    tint = colour;
    vec3 along = high - low, z = along / max(length(along), 1e-20);
    vec3 x = normalize(cross(z, abs(z.x) < 0.7 ? vec3(1.0, 0.0, 0.0) : vec3(0.0, 1.0, 0.0)));
    mat3 turned = mat3(x, cross(z, x), z);
    vec3 middle = 0.5 * (low + high);
    point = (view * vec4(middle + turned * (place * vec3(radius, radius, length(along))), 1.0)).xyz;
    normal = mat3(view) * (turned * outward);
    gl_Position = hidden(colour.a) ? NOWHERE : projection * vec4(point, 1.0);
}
"""
)

SOLID_FRAGMENT = (
    HEAD
    + LIGHT
    + """
in vec3 point, normal;
flat in vec4 tint;
out vec4 shown;

void main() {
    vec3 to_eye = perspective > 0.5 ? -normalize(point) : vec3(0.0, 0.0, 1.0);
    shown = vec4(lit(tint.rgb, normalize(normal), to_eye), tint.a);
}
"""
)

# As wide everywhere, in pixels; what lies behind the eye is cut off first.
LINE_VERTEX = (
    HEAD
    + """
in vec3 place;   // x: which end, 0 or 1; y: which side, -1 or 1
in vec3 start;
in vec3 end;
in vec4 colour;
flat out vec4 tint;
const float WIDTH = 1.6, CLOSE = 1e-4;

void main() {
    tint = colour;
    vec3 a = (view * vec4(start, 1.0)).xyz, b = (view * vec4(end, 1.0)).xyz;
    float close = CLOSE * max(length(a), length(b));
    if (a.z > -close && b.z < -close) a = mix(a, b, (a.z + close) / (a.z - b.z));
    else if (b.z > -close && a.z < -close) b = mix(b, a, (b.z + close) / (b.z - a.z));
    vec4 from = projection * vec4(a, 1.0), to = projection * vec4(b, 1.0), here = place.x < 0.5 ? from : to;
    vec2 way = (to.xy / to.w - from.xy / from.w) * pixels;
    vec2 side = dot(way, way) > 0.0 ? normalize(vec2(-way.y, way.x)) : vec2(0.0);
    here.xy += place.y * WIDTH * side / pixels * here.w;
    bool behind = a.z > -close && b.z > -close;
    gl_Position = hidden(colour.a) || behind ? NOWHERE : here;
}
"""
)

LINE_FRAGMENT = """#version 330
flat in vec4 tint;
out vec4 shown;
void main() { shown = tint; }
"""
