//! Classes that the Helen benchmark scores together.

const EYES: [&[&str]; 2] = [&["l_eye", "le"], &["r_eye", "re"]];
const BROWS: [&[&str]; 2] = [&["l_brow", "lb"], &["r_brow", "rb"]];
const NOSE: [&[&str]; 1] = [&["nose"]];
const MOUTH: [&[&str]; 3] = [&["u_lip", "ulip"], &["mouth", "imouth"], &["l_lip", "llip"]];

/// The merged classes of the Helen benchmark, found by class name: eyes, brows, mouth (both lips and what is between
/// them) and overall (eyes, brows, nose and mouth), each with the indices of its members for
/// [`Confusion::group_f1`](crate::Confusion::group_f1).
///
/// Names are those of CelebAMask-HQ (`l_eye`, `r_brow`, `u_lip`, `mouth` …) or of Helen's own lists (`le`, `rb`, `ulip`,
/// `imouth` …). A group is listed only when all its members are among the names.
pub fn helen_groups<S: AsRef<str>>(names: &[S]) -> Vec<(String, Vec<usize>)> {
    let overall = [&EYES[..], &BROWS, &NOSE, &MOUTH].concat();
    [("eyes", &EYES[..]), ("brows", &BROWS), ("mouth", &MOUTH), ("overall", &overall)]
        .into_iter()
        .filter_map(|(group, members)| Some((group.to_string(), indices(names, members)?)))
        .collect()
}

/// The index of every member, or `None` when one is missing. A member is a list of names for the same class.
fn indices<S: AsRef<str>>(names: &[S], members: &[&[&str]]) -> Option<Vec<usize>> {
    let find = |member: &&[&str]| names.iter().position(|name| member.contains(&name.as_ref()));
    members.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, members: &[usize]) -> (String, Vec<usize>) {
        (name.to_string(), members.to_vec())
    }

    #[test]
    fn both_spellings_give_the_four_groups() {
        let celeb = "background skin l_brow r_brow l_eye r_eye nose mouth u_lip l_lip";
        let helen = "background skin lb rb le re nose imouth ulip llip hair";
        let want = [
            group("eyes", &[4, 5]),
            group("brows", &[2, 3]),
            group("mouth", &[8, 7, 9]),
            group("overall", &[4, 5, 2, 3, 6, 8, 7, 9]),
        ];
        for names in [celeb, helen] {
            assert_eq!(helen_groups(&names.split(' ').collect::<Vec<_>>()), want);
        }
    }

    #[test]
    fn a_group_with_a_missing_member_is_left_out() {
        assert_eq!(helen_groups(&["l_eye", "r_brow", "l_brow", "nose"]), [group("brows", &[2, 1])]);
        assert!(helen_groups::<&str>(&[]).is_empty());
    }
}
