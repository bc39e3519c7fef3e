"""Which factors each attribute drives: the ground truth for probing latents."""

from __future__ import annotations

_GLASSES = (
    "glasses_opacity",
    "lens_half_width",
    "lens_half_height",
    "lens_squareness",
    "lens_tint",
    "frame_thickness",
    "frame_colour",
)
_HAIR_COLOUR = ("hair_hue", "hair_saturation", "hair_value", "hair_colour")
# A label for the colour of hair also rules out hair that is grey, red or missing.
_HAIR_COLOUR_LABEL = (*_HAIR_COLOUR, "hair_is_grey", "hair_is_red", "baldness", "hair_length")

CHARACTERISTICS: dict[str, tuple[str, ...]] = {
    "Arched_Eyebrows": ("brow_arch",),
    "Bags_Under_Eyes": ("eye_bag_strength",),
    "Bangs": (
        "fringe_opacity",
        "fringe_y",
        "fringe_slope",
        "fringe_jaggedness",
        "fringe_frequency",
        "fringe_phase",
        "fringe_gaps",
        "baldness",
        "hair_length",
    ),
    "Black_Hair": _HAIR_COLOUR_LABEL,
    "Blond_Hair": _HAIR_COLOUR_LABEL,
    "Brown_Hair": _HAIR_COLOUR_LABEL,
    "Bushy_Eyebrows": ("brow_thickness", "brow_roughness"),
    "Chubby": (
        "face_fullness",
        "face_half_width",
        "jaw_squareness",
        "chin_y",
        "neck_half_width",
    ),
    "Eyeglasses": _GLASSES,
    "Heavy_Makeup": ("makeup_strength", "eye_shadow_opacity", "blush_opacity", "eye_liner"),
    "Male": (
        "face_half_width",
        "jaw_squareness",
        "chin_y",
        "neck_half_width",
        "shoulder_half_width",
        "brow_y",
        "nose_half_width",
        "lip_thickness",
        "hair_length",
        "baldness",
        "suit",
        "bare_shoulders",
    ),
    "No_Beard": (
        "beard_density",
        "beard_reach",
        "moustache_density",
        "beard_length",
        "beard_inner_radius",
    ),
    "Pale_Skin": ("skin_tone", "skin_colour"),
    "Receding_Hairline": ("hairline_recession", "hair_volume"),
    "Smiling": ("mouth_corner_lift", "mouth_opening", "mouth_half_width"),
    "Wavy_Hair": ("hair_waviness", "hair_volume", "baldness", "hair_length"),
    "Wearing_Necktie": (
        "tie_opacity",
        "tie_width",
        "tie_colour",
        "tie_stripe_colour",
        "tie_stripe_contrast",
        "tie_stripe_frequency",
        "suit",
        "collar",
        "bare_shoulders",
        "neckline_depth",
    ),
    "Young": (
        "ageing",
        "eye_half_height",
        "lip_thickness",
        "hair_is_grey",
        "hair_is_red",
        *_HAIR_COLOUR,
    ),
}
"""The factors that each label moves: flipping it alone changes these and no others."""
