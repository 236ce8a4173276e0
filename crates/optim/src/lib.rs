//! Optimisers and learning-rate schedules whose state saves and restores.
//!
//! An [`Optimizer`] changes the [`Parameters`](sconce_tensors::Parameters) it was built from, in place and in one pass over each of
//! them. The learning rate is an argument of [`Optimizer::step`], so a schedule is a function of the step: a factor of the base rate,
//! 1 where nothing is scheduled. [`Config`] and [`schedule::Config`] are the tables `[optim.…]` and `[schedule.…]` of a run. Tables
//! `[[groups]]` ([`group::Config`]) give parameters a rate or a weight decay of their own by the beginnings of their names.
//! [`clip_global_norm`], [`squared_norm`] and [`first_not_finite`] look at all gradients before a step.
//!
//! State is a map of tensors by name. An optimiser that restores it goes on bit for bit as the one that gave it would have.
//!
//! ```
//! use candle_core::Device;
//! use sconce_optim::{Config, Schedule, schedule, sgd};
//! use sconce_tensors::Parameters;
//!
//! let parameters = Parameters::new(7, &Device::Cpu);
//! let p = parameters.builder().get_with_hints(3, "p", candle_nn::Init::Const(1.0))?;
//!
//! let config = Config::Sgd(sgd::Config { lr: 0.1, momentum: 0.9, weight_decay: 0.0, nesterov: false });
//! let mut optimizer = config.build(&parameters)?;
//! let schedule = Schedule::new(&schedule::Config::Poly { power: 0.9 }, None, 50)?;
//! for step in 0..50 {
//!     let loss = p.sqr()?.sum_all()?;
//!     optimizer.step(&loss.backward()?, config.lr() * schedule.factor(step))?;
//! }
//! assert!(p.abs()?.max(0)?.to_scalar::<f32>()? < 0.1);
//!
//! let saved = optimizer.state().into_iter().collect();
//! config.build(&parameters)?.restore(&saved)?;
//! # Ok::<(), candle_core::Error>(())
//! ```

#![forbid(unsafe_code)]

pub mod adam;
mod clip;
pub mod group;
mod number;
mod optimizer;
pub mod plateau;
pub mod schedule;
pub mod sgd;
mod slots;

pub use clip::{clip_global_norm, first_not_finite, global_norm, squared_norm};
pub use optimizer::{Config, Optimizer};
pub use plateau::Plateau;
pub use schedule::{Schedule, Warmup};
