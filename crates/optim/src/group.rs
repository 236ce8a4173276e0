//! Parameters that are trained faster, slower, or with another weight decay than the rest.

use std::collections::BTreeSet;

use candle_core::Result;
use sconce_tensors::Parameters;
use serde::Deserialize;

use crate::number;

/// One table `[[groups]]`: trainable parameters by how their names begin, and in what their steps differ. Parameters in no group take
/// the steps of `[optim]`.
///
/// A prefix is compared letter by letter, so write the dot after a module's name: `layer1` begins `layer10.weight` too.
///
/// ```
/// use sconce_optim::group::Config;
///
/// // New modules at ten times the rate of those that come with weights, as in Zhao et al. 2017, "Pyramid Scene Parsing Network".
/// let group: Config = toml::from_str("prefixes = ['pyramid.', 'fuse.', 'score.', 'aux_']\nfactor = 10")?;
/// assert_eq!(group.weight_decay, None);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Beginnings of names; each must begin the name of a trainable parameter. At least one.
    pub prefixes: Vec<String>,
    /// Multiplies the learning rate of every step, 0 or more. With 0 the parameters stay as they are.
    pub factor: f64,
    /// Weight decay in place of the optimiser's, 0 or more; left out, it is the optimiser's.
    pub weight_decay: Option<f64>,
}

impl Config {
    fn takes(&self, name: &str) -> bool {
        self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }
}

/// An error naming the first key of the tables `[[groups]]` that makes no sense, such as `groups[0].factor`.
pub fn check(groups: &[Config]) -> Result<()> {
    for (i, group) in groups.iter().enumerate() {
        number::not_negative(&format!("groups[{i}].factor"), group.factor)?;
        if let Some(decay) = group.weight_decay {
            number::not_negative(&format!("groups[{i}].weight-decay"), decay)?;
        }
        if group.prefixes.is_empty() {
            return Err(number::refusal(format!("groups[{i}].prefixes is empty, but must name parameters")));
        }
    }
    Ok(())
}

/// In what the steps of one parameter differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own {
    /// Multiplies the learning rate.
    pub(crate) factor: f64,
    weight_decay: Option<f64>,
}

impl Own {
    /// The weight decay where the optimiser's is `common`.
    pub(crate) fn weight_decay(&self, common: f64) -> f64 {
        self.weight_decay.unwrap_or(common)
    }
}

/// One for each trainable parameter, in the order of names.
pub(crate) fn assign(groups: &[Config], parameters: &Parameters) -> Result<Vec<Own>> {
    check(groups)?;
    let names: Vec<String> = parameters.trainable().into_iter().map(|(name, _)| name).collect();
    refuse_unused(groups, &names)?;
    names.iter().map(|name| own(groups, name)).collect()
}

fn own(groups: &[Config], name: &str) -> Result<Own> {
    let mut of_name = (0..groups.len()).filter(|i| groups[*i].takes(name));
    match (of_name.next(), of_name.next()) {
        (Some(first), Some(second)) => Err(number::refusal(format!(
            "groups[{first}] and groups[{second}] both have a prefix of '{name}', but it can be in one group only"
        ))),
        (Some(i), None) => Ok(Own { factor: groups[i].factor, weight_decay: groups[i].weight_decay }),
        _ => Ok(Own { factor: 1.0, weight_decay: None }),
    }
}

fn refuse_unused(groups: &[Config], names: &[String]) -> Result<()> {
    for (i, group) in groups.iter().enumerate() {
        for (k, prefix) in group.prefixes.iter().enumerate() {
            if !names.iter().any(|name| name.starts_with(prefix)) {
                let near = near(prefix, names).join("', '");
                let text = format!(
                    "groups[{i}].prefixes[{k}] is '{prefix}', with which no trainable parameter begins; near are '{near}'"
                );
                return Err(number::refusal(text));
            }
        }
    }
    Ok(())
}

/// How many near beginnings an error names.
const NEAR: usize = 5;

/// Beginnings of names, down to the same level as the prefix, that share most of their first letters with it.
fn near<'a>(prefix: &str, names: &'a [String]) -> Vec<&'a str> {
    let levels = prefix.trim_end_matches('.').matches('.').count();
    let beginning = |name: &'a String| match name.match_indices('.').nth(levels) {
        Some((dot, _)) => &name[..=dot],
        None => name.as_str(),
    };
    let beginnings: BTreeSet<&str> = names.iter().map(beginning).collect();
    let mut near: Vec<&str> = beginnings.into_iter().collect();
    let shared = |name: &str| name.bytes().zip(prefix.bytes()).take_while(|(a, b)| a == b).count();
    near.sort_by_key(|name| std::cmp::Reverse(shared(name)));
    near.truncate(NEAR);
    near
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn group(prefixes: &[&str]) -> Config {
        let prefixes = prefixes.iter().map(|prefix| prefix.to_string()).collect();
        Config { prefixes, factor: 0.1, weight_decay: None }
    }

    fn parameters() -> Parameters {
        let parameters = Parameters::new(0, &Device::Cpu);
        for name in ["backbone.layer1.0.weight", "backbone.layer1.1.weight", "backbone.layer10.weight"] {
            parameters.builder().get(2, name).unwrap();
        }
        for name in ["head.weight", "head.bias", "norm.running_mean"] {
            parameters.builder().get(2, name).unwrap();
        }
        parameters
    }

    fn refused(groups: &[Config]) -> String {
        assign(groups, &parameters()).unwrap_err().to_string()
    }

    #[test]
    fn a_prefix_chooses_parameters_letter_by_letter() {
        let factors = |prefix: &str| {
            let owns = assign(&[group(&[prefix])], &parameters()).unwrap();
            owns.iter().map(|own| own.factor).collect::<Vec<_>>()
        };
        // In the order of names: layer1.0, layer1.1, layer10, head.bias, head.weight.
        assert_eq!(factors("backbone.layer1."), [0.1, 0.1, 1.0, 1.0, 1.0]);
        assert_eq!(factors("backbone.layer1"), [0.1, 0.1, 0.1, 1.0, 1.0]);
        assert_eq!(factors("head.weight"), [1.0, 1.0, 1.0, 1.0, 0.1]);
        assert_eq!(factors(""), [0.1; 5]);
    }

    #[test]
    fn a_prefix_of_nothing_is_told_with_near_ones() {
        let error = refused(&[group(&["head."]), group(&["backbone.layer1.", "backbon.layer2."])]);
        assert_eq!(
            error,
            "groups[1].prefixes[1] is 'backbon.layer2.', with which no trainable parameter begins; \
             near are 'backbone.layer1.', 'backbone.layer10.', 'head.bias', 'head.weight'"
        );
        let error = refused(&[group(&["heat."])]);
        assert!(error.ends_with("near are 'head.', 'backbone.'"), "{error}");
        assert!(refused(&[group(&["norm."])]).contains("no trainable parameter"), "buffers are not trained");
    }

    #[test]
    fn a_parameter_in_two_groups_is_refused() {
        let error = refused(&[group(&["head."]), group(&["backbone.", "head.w"])]);
        assert_eq!(
            error,
            "groups[0] and groups[1] both have a prefix of 'head.weight', but it can be in one group only"
        );
    }

    #[test]
    fn numbers_without_sense_are_named() {
        let error = refused(&[Config { factor: -1.0, ..group(&["head."]) }]);
        assert_eq!(error, "groups[0].factor is -1, but must be 0 or more");
        let error = refused(&[Config { weight_decay: Some(f64::NAN), ..group(&["head."]) }]);
        assert_eq!(error, "groups[0].weight-decay is NaN, but must be 0 or more");
        assert_eq!(refused(&[group(&[])]), "groups[0].prefixes is empty, but must name parameters");
    }

    #[test]
    fn a_misspelt_key_is_found_with_its_line() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Run {
            groups: Vec<Config>,
        }
        let run: Run = toml::from_str(
            "[[groups]]\nprefixes = ['a.']\nfactor = 10\n[[groups]]\nprefixes = ['b.']\nfactor = 1\nweight-decay = 0",
        )
        .unwrap();
        assert_eq!((run.groups[0].factor, run.groups[1].weight_decay), (10.0, Some(0.0)));
        let error =
            toml::from_str::<Run>("[[groups]]\nprefix = ['a.']\nfactor = 10").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("`prefixes`"), "{error}");
    }
}
