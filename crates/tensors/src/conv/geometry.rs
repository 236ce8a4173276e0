//! The sizes of one convolution, checked once and used by all its passes.

use std::ops::Range;

use candle_core::{Result, bail};

use super::Conv2dConfig;
use crate::arithmetic::Arithmetic;
use crate::conv_transpose::ConvTranspose2dConfig;

/// All sizes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    pub(crate) groups: usize,
    /// Input channels of one group.
    pub(crate) inputs: usize,
    /// Output channels of one group.
    pub(crate) outputs: usize,
    /// Rows and columns.
    pub(crate) input: (usize, usize),
    pub(crate) output: (usize, usize),
    pub(crate) kernel: (usize, usize),
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) dilation: usize,
    /// That of the scope in which it was made.
    pub(crate) arithmetic: Arithmetic,
    /// Whether minimal filtering may round as it does with larger tiles: not where rounding decides, in training, which pixels a
    /// rectifier lets through, since the gradients follow that choice.
    pub(crate) larger_tiles: bool,
}

impl Geometry {
    /// Checks the shapes of the arguments of a convolution against each other.
    pub(crate) fn of_convolution(
        x: &[usize],
        weight: &[usize],
        bias: Option<&[usize]>,
        config: Conv2dConfig,
    ) -> Result<Self> {
        let Conv2dConfig { stride, padding, dilation, groups } = config;
        let &[batch, channels, height, width] = x else { bail!("conv2d: input {x:?} is not (N, C, H, W)") };
        let &[outputs, inputs, kernel_height, kernel_width] = weight else {
            bail!("conv2d: weight {weight:?} is not (outputs, inputs / groups, kernel height, kernel width)")
        };
        if stride == 0 || dilation == 0 || groups == 0 {
            bail!(
                "conv2d: stride, dilation and groups must be at least 1, they are {stride}, {dilation}, {groups}"
            )
        }
        if weight.contains(&0) || x[1..].contains(&0) {
            bail!("conv2d: input {x:?} or weight {weight:?} has a size of 0")
        }
        if channels != inputs * groups {
            bail!(
                "conv2d: input {x:?} has {channels} channels, weight {weight:?} with {groups} groups takes {}",
                inputs * groups
            )
        }
        if outputs % groups != 0 {
            bail!("conv2d: the {outputs} outputs of weight {weight:?} do not divide into {groups} groups")
        }
        if bias.is_some_and(|bias| bias != [outputs]) {
            bail!("conv2d: bias {bias:?} does not fit the {outputs} outputs of weight {weight:?}")
        }
        let positions = |size: usize, kernel: usize| {
            let extent = dilation * (kernel - 1) + 1;
            (size + 2 * padding).checked_sub(extent).map(|room| room / stride + 1)
        };
        let (Some(rows), Some(columns)) = (positions(height, kernel_height), positions(width, kernel_width))
        else {
            bail!(
                "conv2d: kernel of weight {weight:?} with dilation {dilation} is larger than input {x:?} with padding {padding}"
            )
        };
        Ok(Self {
            batch,
            groups,
            inputs,
            outputs: outputs / groups,
            input: (height, width),
            output: (rows, columns),
            kernel: (kernel_height, kernel_width),
            stride,
            padding,
            dilation,
            arithmetic: Arithmetic::current(),
            larger_tiles: false,
        })
    }

    /// Of any pass, by definition.
    pub(crate) fn multiply_adds(&self) -> u64 {
        (self.batch * self.groups * self.outputs * self.terms() * self.output_pixels()) as u64
    }

    /// Kernel and channels as one reads them in papers, with what differs from the plain case: `3x3 512→256 d2`.
    pub(crate) fn form(&self) -> String {
        let (rows, columns) = self.kernel;
        let mut form =
            format!("{rows}x{columns} {}→{}", self.inputs * self.groups, self.outputs * self.groups);
        let settings = [("s", self.stride), ("d", self.dilation), ("g", self.groups)];
        for (letter, value) in settings.into_iter().filter(|&(_, value)| value != 1) {
            form += &format!(" {letter}{value}");
        }
        form
    }

    /// Checks the shapes of the arguments of a transposed convolution against each other. The result is the geometry
    /// of the convolution whose gradient for the input it is: from the transposed convolution's output to its input.
    pub(crate) fn of_transposed(
        x: &[usize],
        weight: &[usize],
        bias: Option<&[usize]>,
        config: ConvTranspose2dConfig,
    ) -> Result<Self> {
        let ConvTranspose2dConfig { stride, padding, output_padding } = config;
        let &[batch, channels, height, width] = x else {
            bail!("conv_transpose2d: input {x:?} is not (N, C, H, W)")
        };
        let &[inputs, outputs, kernel_height, kernel_width] = weight else {
            bail!("conv_transpose2d: weight {weight:?} is not (inputs, outputs, kernel height, kernel width)")
        };
        if output_padding >= stride {
            bail!("conv_transpose2d: output padding {output_padding} must be smaller than stride {stride}")
        }
        if weight.contains(&0) || x[1..].contains(&0) {
            bail!("conv_transpose2d: input {x:?} or weight {weight:?} has a size of 0")
        }
        if channels != inputs {
            bail!("conv_transpose2d: input {x:?} has {channels} channels, weight {weight:?} takes {inputs}")
        }
        if bias.is_some_and(|bias| bias != [outputs]) {
            bail!("conv_transpose2d: bias {bias:?} does not fit the {outputs} outputs of weight {weight:?}")
        }
        let size = |size: usize, kernel: usize| {
            ((size - 1) * stride + kernel + output_padding).checked_sub(2 * padding).filter(|&size| size > 0)
        };
        let (Some(rows), Some(columns)) = (size(height, kernel_height), size(width, kernel_width)) else {
            bail!("conv_transpose2d: padding {padding} leaves nothing of input {x:?} under weight {weight:?}")
        };
        Ok(Self {
            batch,
            groups: 1,
            inputs: outputs,
            outputs: inputs,
            input: (rows, columns),
            output: (height, width),
            kernel: (kernel_height, kernel_width),
            stride,
            padding,
            dilation: 1,
            arithmetic: Arithmetic::current(),
            larger_tiles: false,
        })
    }

    /// For a pass that nothing follows in which rounding would grow: a backward pass, or a prediction.
    pub(crate) fn with_larger_tiles(self, larger_tiles: bool) -> Self {
        Self { larger_tiles, ..self }
    }

    /// Kernel positions of one input channel.
    pub(crate) fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }

    /// Terms of the sum behind one output value: input channels times taps.
    pub(crate) fn terms(&self) -> usize {
        self.inputs * self.taps()
    }

    pub(crate) fn input_pixels(&self) -> usize {
        self.input.0 * self.input.1
    }

    pub(crate) fn output_pixels(&self) -> usize {
        self.output.0 * self.output.1
    }

    pub(crate) fn input_shape(&self) -> (usize, usize, usize, usize) {
        (self.batch, self.groups * self.inputs, self.input.0, self.input.1)
    }

    pub(crate) fn output_shape(&self) -> (usize, usize, usize, usize) {
        (self.batch, self.groups * self.outputs, self.output.0, self.output.1)
    }

    pub(crate) fn weight_shape(&self) -> (usize, usize, usize, usize) {
        (self.groups * self.outputs, self.inputs, self.kernel.0, self.kernel.1)
    }

    /// Where the pixels of one group's inputs of one image lie.
    pub(crate) fn group_inputs(&self, image: usize, group: usize) -> Range<usize> {
        let size = self.inputs * self.input_pixels();
        let start = (image * self.groups + group) * size;
        start..start + size
    }

    /// Where the pixels of one group's outputs of one image lie.
    pub(crate) fn group_outputs(&self, image: usize, group: usize) -> Range<usize> {
        let size = self.outputs * self.output_pixels();
        let start = (image * self.groups + group) * size;
        start..start + size
    }

    /// Where the weights of one group lie.
    pub(crate) fn group_weights(&self, group: usize) -> Range<usize> {
        let size = self.outputs * self.terms();
        group * size..(group + 1) * size
    }

    /// Every output pixel reads exactly its own input pixel.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.kernel == (1, 1) && self.stride == 1 && self.padding == 0
    }
}
