//! Joints by name: the same joint is spelled in many ways.

/// Joints with their sigmas, without a side: COCO's (Ronchi and Perona, ICCV 2017), the feet's of COCO-WholeBody (mean of
/// both sides), neck and top of the head as CrowdPose has them; what lies between two joints of a pair has their sigma.
const JOINTS: &[(&str, f64)] = &[
    ("nose", 0.026),
    ("eye", 0.025),
    ("ear", 0.035),
    ("shoulder", 0.079),
    ("elbow", 0.072),
    ("wrist", 0.062),
    ("hip", 0.107),
    ("knee", 0.087),
    ("ankle", 0.089),
    ("big_toe", 0.080),
    ("small_toe", 0.080),
    ("heel", 0.080),
    ("neck", 0.079),
    ("upper_neck", 0.079),
    ("thorax", 0.079),
    ("head_top", 0.079),
    ("pelvis", 0.107),
];

/// Other words for joints in the middle of the body.
const SYNONYMS: &[(&str, &str)] = &[
    ("mid_hip", "pelvis"),
    ("midhip", "pelvis"),
    ("hip_center", "pelvis"),
    ("top_head", "head_top"),
    ("headtop", "head_top"),
    ("top_of_head", "head_top"),
    ("upperneck", "upper_neck"),
];

/// One spelling for the names of a joint: `RShoulder`, `r_shoulder`, `Right Shoulder` and `shoulder-right` are all
/// `right_shoulder`, and `MidHip` is `pelvis`.
pub fn canonical(name: &str) -> String {
    let mut side = None;
    let mut rest: Vec<String> = Vec::new();
    for word in words(name) {
        match word.as_str() {
            "left" | "l" => side = Some("left"),
            "right" | "r" => side = Some("right"),
            _ => rest.push(word),
        }
    }
    let mut joint = rest.join("_");
    if side.is_none()
        && let Some((prefix, tail)) = joint.split_at_checked(1)
        && JOINTS.iter().any(|(known, _)| *known == tail)
        && !JOINTS.iter().any(|(known, _)| *known == joint)
    {
        side = match prefix {
            "l" => Some("left"),
            "r" => Some("right"),
            _ => None,
        };
        if side.is_some() {
            joint.remove(0);
        }
    }
    if let Some((_, known)) = SYNONYMS.iter().find(|(other, _)| *other == joint) {
        (*known).clone_into(&mut joint);
    }
    match side {
        Some(side) => format!("{side}_{joint}"),
        None => joint,
    }
}

/// Words in lower case, parted by anything that is no letter or digit and where a capital follows.
fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (index, &c) in chars.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(index + 1);
        let follows_small = before.is_some_and(|before| !before.is_uppercase());
        let starts = c.is_uppercase() && (follows_small || after.is_some_and(|after| after.is_lowercase()));
        if starts || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The sigma of the joint called `name`.
pub(super) fn sigma(name: &str) -> Option<f64> {
    let joint = canonical(name);
    let joint = joint.strip_prefix("left_").or_else(|| joint.strip_prefix("right_")).unwrap_or(&joint);
    JOINTS.iter().find(|(known, _)| *known == joint).map(|(_, sigma)| *sigma)
}

/// The pairs that differ in their side alone, by the first of them.
pub(super) fn flip_pairs(keypoints: &[String]) -> Vec<[usize; 2]> {
    let names: Vec<String> = keypoints.iter().map(|name| canonical(name)).collect();
    let other = |name: &str| {
        let left = name.strip_prefix("left_").map(|joint| format!("right_{joint}"));
        left.or_else(|| name.strip_prefix("right_").map(|joint| format!("left_{joint}")))
    };
    let mut pairs: Vec<[usize; 2]> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let Some(other) = other(name).and_then(|other| names.iter().position(|name| *name == other)) else { continue };
        if !pairs.iter().flatten().any(|&taken| taken == index || taken == other) {
            pairs.push([index, other]);
        }
    }
    pairs
}
