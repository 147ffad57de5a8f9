"""The other animals of the drawn scenes: some look like a panda from afar, some do not."""

from metricloop.drawing.bears import LIE, POLAR_BEAR, SIT
from metricloop.drawing.parts import BLACK, INK, Animal, Marking, Part, Pose, both, limb, oval, poly, quadruped


def long_face(*more: Part) -> tuple[Part, ...]:
    """The head of a grazing animal: ears to the sides, eyes wide apart, a long muzzle."""
    return (
        *more,
        *both(oval("ear", 0.92, -0.50, 0.40, 0.20, -30)),
        oval("face", 0, 0, 0.78, 1.0),
        oval("muzzle", 0, 0.72, 0.60, 0.48, 0, 0.7),
        *both(oval("eye", 0.48, -0.18, 0.11, 0.13, 0, 0.4), oval("nose", 0.22, 0.72, 0.09, 0.11, 0, 1.0)),
    )


def round_face(ears: tuple[Part, ...], muzzle: float = 0.42) -> tuple[Part, ...]:
    """The head of a cat, fox or rabbit."""
    return (
        *ears,
        oval("face", 0, 0, 1.0, 0.82),
        *both(oval("muzzle", muzzle * 0.45, 0.36, muzzle * 0.75, muzzle * 0.62, 0, 0.6)),
        *both(oval("eye", 0.42, -0.08, 0.13, 0.17, 0, 0.4)),
        oval("nose", 0, 0.24, 0.11, 0.08, 0, 1.0),
    )


POINTED = both(poly("ear", 0.22, -0.66, 0.62, -1.45, 0.95, -0.30), poly("inner", 0.40, -0.70, 0.62, -1.20, 0.80, -0.48))
LONG_EARS = both(oval("ear", 0.38, -1.35, 0.24, 0.80, 10), oval("inner", 0.38, -1.35, 0.12, 0.58, 10))
FLAPS = both(poly("ear", 0.35, -0.70, 0.95, -1.05, 0.92, -0.25))
HORNS = both(limb("horn", 0.35, -0.85, 0.62, -1.25, 0.10, 0.05))
KNOBS = both(limb("horn", 0.28, -0.85, 0.34, -1.35, 0.08, 0.11))

ZEBRA = Animal(
    "zebra",
    {
        "body": (236, 232, 224),
        "far": (150, 146, 142),
        "muzzle": (52, 48, 50),
        "eye": INK,
        "nose": INK,
        "ear": (90, 86, 86),
    },
    (quadruped(0.46, 0.22, 0.42, 0.055, (0.22, 0.26), 0.145, 0.35),),
    long_face(oval("mane", 0, -0.75, 0.25, 0.5)),
    Marking("stripes", ("body", "neck", "leg", "tail", "face", "mane"), (28, 26, 28)),
    1.1,
)
PENGUIN = Animal(
    "penguin",
    {"body": (34, 36, 44), "belly": (238, 236, 228), "beak": (226, 150, 48), "eye": (232, 230, 224), "nose": INK},
    (
        Pose(
            (
                *both(oval("beak", 0.13, 0.97, 0.12, 0.045)),
                oval("body", 0, 0.60, 0.27, 0.39),
                oval("body", 0, 0.20, 0.19, 0.20),
                oval("belly", -0.02, 0.66, 0.19, 0.30),
                *both(limb("body", 0.24, 0.42, 0.34, 0.74, 0.065, 0.035)),
                *both(oval("belly", 0.075, 0.20, 0.075, 0.085)),
                *both(oval("nose", 0.07, 0.19, 0.025, 0.03)),
                poly("beak", -0.05, 0.25, 0.05, 0.25, 0.0, 0.33),
            )
        ),
        Pose(
            (
                *both(oval("beak", 0.06, 0.97, 0.12, 0.045)),
                oval("body", 0.02, 0.60, 0.23, 0.39, -6),
                oval("belly", -0.09, 0.66, 0.13, 0.29, -6),
                oval("body", -0.04, 0.20, 0.18, 0.19),
                poly("beak", -0.20, 0.16, -0.36, 0.24, -0.19, 0.25),
                oval("belly", -0.11, 0.17, 0.04, 0.045),
                limb("body", 0.06, 0.42, 0.12, 0.76, 0.07, 0.035),
            )
        ),
    ),
    height=0.85,
)
# A football from any side: a pentagon in the middle and five more at the rim.
_PENTAGON = ((0.0, -0.17), (0.16, -0.05), (0.10, 0.14), (-0.10, 0.14), (-0.16, -0.05))
_RIM = (
    ((-0.13, -0.47), (0.13, -0.47), (0.08, -0.36), (-0.08, -0.36)),
    ((0.40, -0.27), (0.48, -0.03), (0.36, -0.03), (0.31, -0.18)),
    ((0.41, 0.26), (0.21, 0.44), (0.17, 0.32), (0.29, 0.22)),
    ((-0.41, 0.26), (-0.21, 0.44), (-0.17, 0.32), (-0.29, 0.22)),
    ((-0.40, -0.27), (-0.48, -0.03), (-0.36, -0.03), (-0.31, -0.18)),
)
FOOTBALL = Animal(
    "football",
    {"body": (240, 240, 238), "patch": BLACK, "seam": (150, 150, 150)},
    (
        Pose(
            (
                oval("body", 0, 0.5, 0.5, 0.5),
                *(
                    limb(
                        "seam",
                        x,
                        y + 0.5,
                        0.72 * (rim[2][0] + rim[3][0]),
                        0.72 * (rim[2][1] + rim[3][1]) + 0.5,
                        0.01,
                        0.01,
                    )
                    for (x, y), rim in zip(_PENTAGON, _RIM, strict=True)
                ),
                poly("patch", *(value for x, y in _PENTAGON for value in (x, y + 0.5))),
                *(poly("patch", *(value for x, y in rim for value in (x, y + 0.5))) for rim in _RIM),
            )
        ),
    ),
    height=0.5,
    tilt=180.0,
)

DARK_EYES = {"eye": INK, "nose": (60, 40, 40)}
CAT = Animal(
    "cat",
    {"body": (150, 128, 104), "muzzle": (226, 216, 200), "inner": (206, 150, 140), "belly": (226, 216, 200)}
    | DARK_EYES,
    (SIT, LIE, quadruped(0.42, 0.18, 0.34, 0.055, (0.16, 0.16), 0.19, 0.5)),
    round_face(POINTED),
    Marking("stripes", ("body", "band", "neck", "leg", "arm", "tail", "face"), (96, 78, 62)),
    0.7,
    shades=({}, {"body": (216, 140, 66)}, {"body": (112, 112, 120)}),
)
FOX = Animal(
    "fox",
    {"body": (206, 102, 40), "leg": (52, 36, 32), "arm": (52, 36, 32), "far": (36, 26, 24), "muzzle": (240, 232, 220)}
    | {"inner": (70, 46, 40), "tail": (222, 128, 70)}
    | DARK_EYES,
    (quadruped(0.46, 0.18, 0.34, 0.045, (0.18, 0.14), 0.18, 0.6), SIT),
    round_face(POINTED, 0.5),
    height=0.75,
)
COW = Animal(
    "cow",
    {"body": (150, 92, 58), "muzzle": (226, 178, 160), "horn": (220, 210, 186), "far": (104, 64, 40)} | DARK_EYES,
    (quadruped(0.55, 0.28, 0.36, 0.07, (0.24, 0.10), 0.17, 0.35),),
    long_face(*HORNS),
    Marking("patches", ("body", "leg"), (226, 214, 196)),
    1.1,
    shades=({}, {"body": (92, 58, 42)}, {"body": (196, 150, 100)}),
)
GIRAFFE = Animal(
    "giraffe",
    {"body": (226, 186, 118), "muzzle": (214, 190, 150), "horn": (90, 60, 40), "far": (176, 140, 88)} | DARK_EYES,
    (quadruped(0.28, 0.13, 0.38, 0.035, (0.18, 0.42), 0.085, 0.2),),
    long_face(*KNOBS),
    Marking("patches", ("body", "neck", "leg"), (150, 88, 42)),
    1.5,
)
PIG = Animal(
    "pig",
    {"body": (232, 168, 160), "muzzle": (216, 140, 136), "far": (196, 132, 126), "eye": INK, "nose": (140, 76, 76)},
    (quadruped(0.52, 0.28, 0.26, 0.075, (0.14, 0.02), 0.22, 0.15), LIE),
    (
        *FLAPS,
        oval("face", 0, 0, 1.0, 0.88),
        oval("muzzle", 0, 0.32, 0.42, 0.32, 0, 0.8),
        *both(oval("eye", 0.45, -0.15, 0.09, 0.11, 0, 0.4), oval("nose", 0.15, 0.32, 0.07, 0.12, 0, 1.0)),
    ),
    height=0.8,
    shades=({}, {"body": (120, 90, 80)}),
)
RABBIT = Animal(
    "rabbit",
    {"body": (168, 140, 112), "inner": (222, 170, 160), "muzzle": (226, 214, 200), "sole": (200, 180, 160)} | DARK_EYES,
    (SIT, LIE),
    round_face(LONG_EARS),
    height=0.65,
    shades=({}, {"body": (126, 122, 122)}, {"body": (104, 76, 56)}),
)
DUCK = Animal(
    "duck",
    {"body": (240, 206, 70), "wing": (222, 180, 50), "beak": (232, 120, 36), "eye": INK, "leg": (226, 120, 40)},
    (
        Pose(
            (
                *both(limb("leg", 0.06, 0.88, 0.05, 0.97, 0.02, 0.05)),
                poly("body", 0.30, 0.55, 0.66, 0.42, 0.45, 0.80),
                oval("body", 0.05, 0.68, 0.42, 0.25),
                limb("body", -0.22, 0.55, -0.26, 0.28, 0.14, 0.12),
                oval("body", -0.28, 0.20, 0.19, 0.18),
                poly("beak", -0.42, 0.15, -0.66, 0.25, -0.42, 0.30),
                oval("eye", -0.33, 0.15, 0.035, 0.04),
                oval("wing", 0.12, 0.64, 0.26, 0.14, -12),
            )
        ),
    ),
    height=0.6,
    shades=({}, {"body": (120, 92, 70), "wing": (92, 70, 56)}, {"body": (110, 130, 120), "wing": (70, 100, 150)}),
)

LOOKALIKES = (FOOTBALL, PENGUIN, ZEBRA, POLAR_BEAR)
OTHERS = (CAT, FOX, COW, GIRAFFE, DUCK, PIG, RABBIT)
