//! The scores of an ablation's variants side by side.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use sconce_data::Split;
use sconce_runs::{Rows, Run, Table};
use serde::Deserialize;

use crate::cli::{EvalArguments, EvalSplit};
use crate::settings::Settings;
use crate::verbs;

/// One column of a table in an evaluation's folder, over that table's first column.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Curve {
    /// The table's file, such as thresholds.tsv.
    file: String,
    column: String,
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} of {}", self.column, self.file)
    }
}

/// A name and a value.
type Pair = [String; 2];

/// What a variant reached.
pub(super) struct Scored {
    variant: String,
    means: Vec<Pair>,
    /// Of each of the config's curves: the table's first column and the chosen one.
    curves: Vec<Vec<Pair>>,
}

impl Scored {
    /// Evaluates the variant's run on the split.
    pub(super) fn new(variant: String, run: &Run, split: EvalSplit, curves: &[Curve]) -> Result<Self> {
        let arguments = EvalArguments::of_run(run, split);
        verbs::evaluate(&Settings::of_run(&arguments.run)?, &arguments)?;
        let folder = newest_evaluation(run, split)?;
        let means = pairs(&folder.join(MEANS), "value")?;
        let curves = curves.iter().map(|curve| pairs(&folder.join(&curve.file), &curve.column));
        Ok(Self { variant, means, curves: curves.collect::<Result<_>>()? })
    }
}

const MEANS: &str = "means.tsv";

/// The folder that the last evaluation of the split wrote, whichever checkpoint that was of.
fn newest_evaluation(run: &Run, split: EvalSplit) -> Result<PathBuf> {
    let prefix = format!("{}-", Split::from(split));
    let of_split =
        |folder: &PathBuf| folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
    let folder = run.evaluation("");
    let folders = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let dated =
        folders.filter(of_split).filter_map(|f| Some((f.join(MEANS).metadata().ok()?.modified().ok()?, f)));
    let (_, newest) = dated.max().with_context(|| format!("{} has no scores", folder.display()))?;
    Ok(newest)
}

/// The first column of a table and the one of that name.
fn pairs(file: &Path, column: &str) -> Result<Vec<Pair>> {
    let Rows { columns, rows } = Rows::read(file)?;
    let Some(index) = columns.iter().position(|name| name == column) else {
        bail!("{} has no column '{column}'; there are: {}", file.display(), columns.join(", "));
    };
    Ok(rows.into_iter().map(|row| [row[0].clone(), row[index].clone()]).collect())
}

/// A row for each variant and a column for each score.
pub(super) fn table(scores: &[String], variants: &[Scored]) -> Result<Table> {
    let names = || variants.iter().flat_map(|scored| &scored.means).map(|[name, _]| name.as_str());
    if let Some(unknown) = scores.iter().find(|score| names().all(|name| name != score.as_str())) {
        let known: BTreeSet<&str> = names().collect();
        let known: Vec<&str> = known.into_iter().collect();
        bail!("`scores` names '{unknown}', which no evaluation has; there are: {}", known.join(", "));
    }
    let mut table = Table::new(std::iter::once("variant".to_owned()).chain(scores.iter().cloned()));
    for Scored { variant, means, .. } in variants {
        let value =
            |score: &String| means.iter().find(|[name, _]| name == score).map(|[_, value]| value.clone());
        let cells = scores.iter().map(|score| value(score).unwrap_or_else(|| "-".to_owned()));
        table.push(std::iter::once(variant.clone()).chain(cells));
    }
    Ok(table)
}

/// Curve `index` of every variant: a row for each of its points and a column for each variant.
pub(super) fn curve_table(index: usize, variants: &[Scored]) -> Result<Table> {
    let names = variants.iter().map(|scored| scored.variant.clone());
    let mut table = Table::new(std::iter::once("at".to_owned()).chain(names));
    let first = variants.first().map_or(&[][..], |scored| &scored.curves[index]);
    for (row, [at, _]) in first.iter().enumerate() {
        let value = |scored: &Scored| match scored.curves[index].get(row) {
            Some([same, value]) if same == at => Ok(value.clone()),
            _ => Err(anyhow!("variant '{}' was not scored at {at}, as the first one was", scored.variant)),
        };
        let values = variants.iter().map(value).collect::<Result<Vec<_>>>()?;
        table.push(std::iter::once(at.clone()).chain(values));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(pairs: &[[&str; 2]]) -> Vec<Pair> {
        pairs.iter().map(|pair| pair.map(String::from)).collect()
    }

    fn scored(variant: &str, means: &[[&str; 2]], curve: &[[&str; 2]]) -> Scored {
        Scored { variant: variant.into(), means: owned(means), curves: vec![owned(curve)] }
    }

    #[test]
    fn a_table_has_the_scores_asked_for_in_their_order() {
        let (loss, iou) = (["loss", "0.1"], ["IoU %", "86.1"]);
        let variants = [scored("a", &[loss, iou], &[]), scored("b", &[loss], &[])];
        let made = table(&["IoU %", "loss"].map(String::from), &variants).unwrap();
        assert_eq!(made.to_tsv(), "variant\tIoU %\tloss\na\t86.1\t0.1\nb\t-\t0.1\n");
        let error = table(&["F1 %".to_owned()], &variants).unwrap_err().to_string();
        assert!(error.contains("'F1 %'") && error.contains("IoU %, loss"), "{error}");
    }

    #[test]
    fn a_curve_has_a_column_for_each_variant() {
        let a = scored("a", &[], &[["0.0", "18"], ["0.5", "86"]]);
        let both = [a, scored("b", &[], &[["0.0", "18"], ["0.5", "84"]])];
        assert_eq!(curve_table(0, &both).unwrap().to_tsv(), "at\ta\tb\n0.0\t18\t18\n0.5\t86\t84\n");
        let [a, _] = both;
        let error = curve_table(0, &[a, scored("c", &[], &[["0.0", "1"]])]).err().unwrap().to_string();
        assert!(error.contains("'c' was not scored at 0.5"), "{error}");
    }
}
