"""Panda and polar bear: same shapes, different colours."""

from metricloop.drawing.parts import BLACK, INK, Animal, Pose, both, limb, oval, poly

BEAR_HEAD = (
    *both(oval("ear", 0.70, -0.66, 0.33, 0.31, 20)),
    oval("face", 0, 0, 1.0, 0.87),
    oval("muzzle", 0, 0.36, 0.50, 0.38, 0, 0.7),
    *both(oval("patch", 0.43, 0.02, 0.21, 0.31, -35, 0.5), oval("eye", 0.38, -0.02, 0.075, 0.08, 0, 0.55)),
    oval("nose", 0, 0.25, 0.18, 0.12, 0, 1.0),
    limb("nose", -0.12, 0.53, 0.12, 0.53, 0.025, 0.025, 0.8),
)
SIT = Pose(
    (
        oval("body", 0, 0.67, 0.34, 0.33),
        oval("band", 0, 0.47, 0.29, 0.12),
        *both(limb("leg", 0.20, 0.88, 0.36, 0.90, 0.11, 0.10), oval("sole", 0.38, 0.91, 0.075, 0.09)),
        *both(limb("arm", 0.25, 0.49, 0.17, 0.72, 0.085, 0.075)),
    ),
    (0, 0.25, 0.27),
)
EAT = Pose(
    (
        *SIT.parts[:6],
        limb("prop", -0.34, 0.42, 0.22, 0.72, 0.022, 0.022),
        poly("prop", -0.34, 0.42, -0.50, 0.34, -0.40, 0.46),
        poly("prop", -0.30, 0.44, -0.34, 0.28, -0.24, 0.42),
        limb("arm", -0.25, 0.49, -0.12, 0.58, 0.085, 0.075),
        limb("arm", 0.25, 0.49, 0.12, 0.68, 0.085, 0.075),
    ),
    SIT.head,
)
BEHIND = Pose(
    (
        *both(limb("leg", 0.20, 0.88, 0.33, 0.93, 0.11, 0.08)),
        *both(limb("arm", 0.25, 0.46, 0.33, 0.72, 0.09, 0.07)),
        oval("body", 0, 0.68, 0.33, 0.32),
        oval("band", 0, 0.47, 0.28, 0.11),
        oval("body", 0, 0.94, 0.07, 0.05),
    ),
    (0, 0.26, 0.26),
    "back",
)
WALK = Pose(
    (
        limb("far", -0.40, 0.58, -0.46, 0.92, 0.11, 0.08),
        limb("far", 0.40, 0.60, 0.36, 0.92, 0.11, 0.08),
        oval("body", 0.66, 0.42, 0.06, 0.07),
        oval("body", 0.10, 0.46, 0.60, 0.30),
        limb("band", -0.30, 0.26, -0.33, 0.58, 0.13, 0.16),
        limb("arm", -0.33, 0.58, -0.29, 0.91, 0.14, 0.095),
        limb("leg", 0.52, 0.56, 0.54, 0.91, 0.16, 0.095),
    ),
    (-0.60, 0.38, 0.28),
    "side",
)
LIE = Pose(
    (
        oval("body", 0.20, 0.71, 0.54, 0.27),
        limb("leg", 0.56, 0.82, 0.30, 0.92, 0.13, 0.08),
        limb("band", -0.18, 0.55, -0.22, 0.82, 0.13, 0.14),
        limb("arm", -0.22, 0.84, -0.66, 0.93, 0.10, 0.07),
    ),
    (-0.46, 0.66, 0.25),
    "side",
)
CLIMB = Pose(
    (
        limb("far", -0.08, 0.42, -0.34, 0.24, 0.08, 0.07),
        limb("far", 0.00, 0.86, -0.32, 0.78, 0.09, 0.08),
        oval("body", 0.06, 0.62, 0.27, 0.33, 10),
        oval("band", 0.00, 0.42, 0.24, 0.13, 8),
        limb("arm", 0.14, 0.44, -0.22, 0.40, 0.09, 0.075),
        limb("leg", 0.18, 0.84, -0.22, 0.92, 0.11, 0.08),
    ),
    (0.02, 0.22, 0.24),
    "side",
    climbs=True,
)
BEAR_POSES = (SIT, EAT, EAT, BEHIND, WALK, WALK, LIE, CLIMB)
_PANDA_LIMBS = dict.fromkeys(("band", "leg", "arm", "ear", "patch"), BLACK)
PANDA = Animal(
    "panda",
    {"body": (236, 232, 222), "face": (244, 241, 234), "muzzle": (250, 247, 240), **_PANDA_LIMBS}
    | {"far": (20, 19, 22), "sole": (58, 52, 54), "eye": (120, 108, 96), "nose": INK, "prop": (112, 150, 52)},
    BEAR_POSES,
    BEAR_HEAD,
    shades=({}, {}, {"body": (214, 200, 172), "face": (226, 214, 190), "muzzle": (232, 222, 202)}),
)
POLAR_BEAR = Animal(
    "polar bear",
    {"body": (232, 226, 208), "ear": (214, 206, 188), "face": (238, 233, 218), "muzzle": (224, 216, 198)}
    | {"far": (196, 188, 168), "sole": (120, 112, 104), "eye": INK, "nose": INK, "patch": (230, 224, 208)}
    | {"prop": (150, 170, 190)},
    (SIT, BEHIND, WALK, WALK, LIE),
    BEAR_HEAD,
)
