//! Where images of hair come from: `[data]`.

use std::sync::Arc;

use anyhow::Result;
use sconce_data::{Cached, Dataset, Foreground, Split, figaro, folder, hair};
use serde::Deserialize;

use super::Config;

/// One of `[data.figaro]`, `[data.folder]` and `[data.hair]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Data {
    Figaro(figaro::Config),
    Folder(folder::Config),
    /// Drawn from a seed.
    Hair(hair::Config),
}

/// Images with a mask: 1 where hair is.
pub(super) type Images = Arc<dyn Dataset<1>>;

/// A split of a set, and the group of each image, such as its style.
pub(super) struct Hair {
    pub(super) images: Images,
    /// None for a set without groups.
    pub(super) groups: Vec<String>,
    /// Of each image, the place in `groups`; empty without groups.
    group_of: Vec<usize>,
}

impl Hair {
    /// Of an image, if the set has groups.
    pub(super) fn group(&self, index: usize) -> Option<usize> {
        self.group_of.get(index).copied()
    }
}

impl Config {
    /// Opens a split and prints what was passed over.
    pub(super) fn open(&self, split: Split) -> Result<Hair> {
        match &self.data {
            Data::Figaro(config) => {
                let set = figaro::open(config, split)?;
                set.notices().iter().for_each(|notice| println!("notice      {notice}"));
                let group_of = (0..set.len()).map(|index| set.style(index)).collect::<Result<_, _>>()?;
                let images: Images = Arc::new(Foreground::new(set, &self.foreground)?);
                Ok(Hair { images, groups: figaro::STYLES.map(String::from).to_vec(), group_of })
            }
            Data::Hair(config) => {
                let set = hair::Hair::open(config, split)?;
                let group_of = (0..set.len()).map(|index| set.style(index) as usize).collect();
                let images: Images =
                    Arc::new(Foreground::new(Cached::of_rendered(set, split), &self.foreground)?);
                Ok(Hair { images, groups: figaro::STYLES.map(String::from).to_vec(), group_of })
            }
            Data::Folder(config) => {
                let images = Arc::new(Foreground::new(folder::open(config, split)?, &self.foreground)?);
                Ok(Hair { images, groups: Vec::new(), group_of: Vec::new() })
            }
        }
    }
}
