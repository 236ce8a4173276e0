//! Streaming, mergeable scores of label maps.
//!
//! A [`Confusion`] counts how often each true class was predicted as each class. It takes label maps one by one as byte
//! slices, two of them merge into one (threads, machines, halves of a data set), and every score is a function of its
//! counts: intersection over union, F1, precision, recall, pixel accuracy, and the F1 of merged classes ("both eyes").
//! [`BoundaryIou`] looks at the borders of the classes alone.
//! One foreground class has scores of its own: [`Binary`] counts it, [`Thresholds`] counts it at every threshold of a
//! probability, and [`Tolerant`] forgives thin lines a small shift. The crate knows nothing of tensors or files and
//! depends on the standard library alone.
//!
//! A class that occurs neither in the truth nor in the prediction has no score: it is `None`, never NaN. Means run over
//! the classes that have one; [`mean_over_all`] is the other convention of the literature.
//!
//! ```
//! use sconce_metrics::{Confusion, helen_groups};
//!
//! let names = ["background", "l_eye", "r_eye", "nose"].map(String::from);
//! let truth = [0, 0, 1, 1, 2, 2, 255, 0]; // 255: a pixel without a label
//! let predicted = [0, 0, 1, 2, 2, 2, 3, 0];
//!
//! let mut confusion = Confusion::new(names.len());
//! confusion.add(&truth, &predicted, 255)?;
//!
//! assert_eq!(confusion.f1(), [Some(1.0), Some(2.0 / 3.0), Some(0.8), None]);
//! assert_eq!(confusion.pixel_accuracy(), 6.0 / 7.0);
//! let groups = helen_groups(&names);
//! assert_eq!(groups, [("eyes".to_string(), vec![1, 2])]);
//! assert_eq!(confusion.group_f1(&groups[0].1), Some(1.0)); // left for right counts as an eye
//! # Ok::<(), sconce_metrics::Error>(())
//! ```

#![forbid(unsafe_code)]

mod binary;
mod boundary_iou;
mod confusion;
mod error;
mod groups;
mod thresholds;
mod tolerant;

pub use binary::Binary;
pub use boundary_iou::BoundaryIou;
pub use confusion::{Confusion, mean_over_all, mean_over_present};
pub use error::{Error, Map};
pub use groups::helen_groups;
pub use thresholds::{Point, Thresholds};
pub use tolerant::Tolerant;
