//! AGRNet (Te, Hu, Liu, Shi, Mei 2021, "AGRNet: Adaptive graph representation learning and reasoning for face parsing").
//!
//! A dilated residual network's coarsest level passes pyramid pooling; together with its finest level it gives every pixel, at
//! stride 4, a state. A first parsing of that state chooses the surest pixels of each class as vertices of a graph; near the
//! edges that a branch of its own predicts, pixels project to the vertices, which reason among themselves and report back.

use candle_core::{Context, Result, Tensor};
use candle_nn::{Module, ModuleT, VarBuilder};
use sconce_backbones::{Backbone, Resnet, resnet};
use sconce_heads::{
    BINS, EdgeBranch, Graph, GraphReasoning, PyramidPooling, product_cost, project_to_graph,
    reproject_to_pixels,
};
use sconce_tensors::{
    Activation, Conv2d, Conv2dConfig, ConvNorm, ConvNormConfig, Corners, Cost, Memory, resize_bilinear,
    softmax_channels,
};
use serde::Deserialize;

use crate::config::at_least_one;
use crate::stages::{self, four, part};

/// Everything an [`Agrnet`] is built from. The published widths are those of [`Config::resnet101`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Number of classes, background included.
    pub classes: usize,
    /// Pixels chosen for each class as vertices of the graph.
    pub vertices_per_class: usize,
    /// The residual network.
    pub backbone: resnet::Config,
    /// Channels of each pooled map and of the fused context.
    pub pyramid_width: usize,
    /// Channels inside the edge branch.
    pub edge_width: usize,
    /// Channels that the finest level brings into a pixel's state.
    pub low_width: usize,
    /// Channels of a pixel's and of a vertex's state, and of the context brought into it.
    pub state_width: usize,
    /// Channels before the first parsing's scores.
    pub reduce_width: usize,
    /// What a training step keeps of the inside of each residual block.
    pub memory: Memory,
}

impl Config {
    /// The published network: 66,540,303 parameters for 19 classes.
    pub fn resnet101(classes: usize) -> Self {
        Self::published(classes, resnet::Config::Resnet101)
    }

    /// The published widths on a residual network of depth 50.
    pub fn resnet50(classes: usize) -> Self {
        Self::published(classes, resnet::Config::Resnet50)
    }

    fn published(classes: usize, backbone: resnet::Config) -> Self {
        Self {
            classes,
            vertices_per_class: 4,
            backbone,
            pyramid_width: 512,
            edge_width: 256,
            low_width: 48,
            state_width: 256,
            reduce_width: 48,
            memory: Memory::Plain,
        }
    }

    fn vertices(&self) -> usize {
        self.classes * self.vertices_per_class
    }

    fn check(&self) -> Result<()> {
        let sizes = [
            ("classes", self.classes),
            ("vertices-per-class", self.vertices_per_class),
            ("pyramid-width", self.pyramid_width),
            ("edge-width", self.edge_width),
            ("low-width", self.low_width),
            ("state-width", self.state_width),
            ("reduce-width", self.reduce_width),
        ];
        at_least_one("agrnet", &sizes)
    }
}

/// What the network says about an image of (N, 3, H, W). "Fine" is the size of the backbone's finest level, for the published
/// network a quarter of the image's, rounded up.
#[derive(Debug, Clone)]
pub struct Output {
    /// Class scores, (N, classes, H, W).
    pub logits: Tensor,
    /// Scores of "no edge" and "edge", (N, 2, fine).
    pub edge: Tensor,
    /// Class scores of the first parsing, before the graph, (N, classes, fine).
    pub initial: Tensor,
    /// The state of the chosen vertices, (N, classes · vertices per class, state width).
    pub vertices: Tensor,
}

/// The network. Parameters lie under the builder's prefix: `backbone.…`, `pyramid.0.conv.weight`, `state.weight`, …
#[derive(Debug)]
pub struct Agrnet {
    backbone: Resnet,
    pyramid: PyramidPooling,
    pyramid_fuse: ConvNorm,
    edge: EdgeBranch,
    high: ConvNorm,
    low: ConvNorm,
    state: Conv2d,
    initial_reduce: ConvNorm,
    initial_score: Conv2d,
    reasoning: GraphReasoning,
    fuse: ConvNorm,
    score: Conv2d,
    config: Config,
}

impl Agrnet {
    /// Builds the network.
    ///
    /// # Errors
    ///
    /// When a size in the config is 0 or the builder lacks a tensor.
    pub fn new(config: &Config, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        let &Config { classes, state_width, low_width, reduce_width, .. } = config;
        let backbone = Resnet::new(&config.backbone.leaky(), vb.pp("backbone"))?.with_memory(config.memory);
        let [c2, c3, c4, c5] = four(backbone.levels())?.map(|level| level.channels);
        let width = config.pyramid_width;
        let pyramid =
            PyramidPooling::normalised(c5, width, &BINS, ACTIVATION, vb.pp("pyramid"))?.pooled_first();
        let joined = BINS.len() * width + c5;
        Ok(Self {
            pyramid,
            pyramid_fuse: ConvNorm::new(joined, width, 3, LAYER, vb.pp("pyramid_fuse"))?,
            edge: EdgeBranch::new(&[c2, c3, c4], config.edge_width, ACTIVATION, vb.clone())?,
            high: layer(config.pyramid_width, state_width, vb.pp("high"))?,
            low: layer(c2, low_width, vb.pp("low"))?,
            state: Conv2d::with_bias(state_width + low_width, state_width, 1, POINT, vb.pp("state"))?,
            initial_reduce: layer(state_width, reduce_width, vb.pp("initial_reduce"))?,
            initial_score: Conv2d::new(reduce_width, classes, 1, POINT, vb.pp("initial_score"))?,
            reasoning: GraphReasoning::new(config.vertices(), state_width, vb.clone())?,
            fuse: layer(state_width, state_width, vb.pp("fuse"))?,
            score: Conv2d::with_bias(state_width, classes, 1, POINT, vb.pp("score"))?,
            backbone,
            config: config.clone(),
        })
    }

    /// The network's scores for `image`. With `train`, batch norm uses the batch's statistics and updates the running ones.
    ///
    /// # Shapes
    ///
    /// `image` (N, 3, H, W), normalised; H and W need not be multiples of anything.
    ///
    /// # Errors
    ///
    /// When the image has another shape, is too small for the graph's vertices, or, in training, the batch has a single image
    /// (pyramid pooling's 1x1 bin leaves batch norm one value per channel).
    pub fn forward_t(&self, image: &Tensor, train: bool) -> Result<Output> {
        let (_, _, height, width) = image.dims4()?;
        let [c2, c3, c4, c5] = four(&self.backbone.features(image, train)?)?;
        let context = self.context(&c5, train).with_context(|| self.part("pyramid pooling", 3))?;
        let edge =
            self.edge.forward_t(&[&c2, &c3, &c4], train).with_context(|| self.part("edge branch", 0))?;
        let state = self.pixel_state(&context, &c2, train).with_context(|| self.part("pixel state", 0))?;
        let initial = self.first_parsing(&state, train).with_context(|| self.part("first parsing", 0))?;
        let graph = self.graph(&state, &edge, &initial).with_context(|| self.part("graph", 0))?;
        let logits = self.parsing(&state, &graph, train).with_context(|| self.part("parsing", 0))?;
        let logits = resize_bilinear(&logits, (height, width), Corners::HalfPixel)?;
        Ok(Output { logits, edge, initial, vertices: graph.vertices })
    }

    /// Trainable parameters and multiply-adds of each stage for one image of `size` (height, width).
    pub fn cost(&self, size: (usize, usize)) -> Vec<(String, Cost)> {
        let mut stages = stages::of_backbone(self.backbone.cost(size));
        let sizes: Vec<_> = stages[1..].iter().map(|(_, cost)| cost.size).collect(); // after the stem
        let (fine, coarse) = (sizes[0], sizes[3]);
        let pyramid = Cost::sum([self.pyramid.cost(coarse), self.pyramid_fuse.cost(coarse)], coarse);
        stages.push(("pyramid pooling".to_owned(), pyramid));
        stages.push(("edge branch".to_owned(), self.edge.cost(&sizes[..3])));
        stages.push(("graph".to_owned(), Cost { size, ..self.graph_cost(fine, coarse) }));
        stages
    }

    /// From the context and the finest level to the scores at the finest level's size.
    fn graph_cost(&self, fine: (usize, usize), coarse: (usize, usize)) -> Cost {
        let product = product_cost(self.config.vertices(), self.config.state_width, fine);
        let parts = [
            self.high.cost(coarse),
            self.low.cost(fine),
            self.state.cost(fine),
            self.initial_reduce.cost(fine),
            self.initial_score.cost(fine),
            product, // projection
            self.reasoning.cost(fine),
            product, // reprojection
            self.fuse.cost(fine),
            self.score.cost(fine),
        ];
        Cost::sum(parts, fine)
    }

    fn context(&self, c5: &Tensor, train: bool) -> Result<Tensor> {
        self.pyramid_fuse.forward_t(&self.pyramid.forward_t(c5, train)?, train)
    }

    /// What the context, brought to the finest level's size, and the finest level know of every pixel.
    fn pixel_state(&self, context: &Tensor, c2: &Tensor, train: bool) -> Result<Tensor> {
        let (_, _, height, width) = c2.dims4()?;
        let high = resize_bilinear(&self.high.forward_t(context, train)?, (height, width), Corners::Aligned)?;
        let low = self.low.forward_t(c2, train)?;
        self.state.forward(&Tensor::cat(&[high, low], 1)?)
    }

    fn first_parsing(&self, state: &Tensor, train: bool) -> Result<Tensor> {
        self.initial_score.forward(&self.initial_reduce.forward_t(state, train)?)
    }

    /// The graph reads the edge map but does not train it.
    fn graph(&self, state: &Tensor, edge: &Tensor, initial: &Tensor) -> Result<Graph> {
        let edge = softmax_channels(&edge.detach())?.narrow(1, 1, 1)?.contiguous()?;
        project_to_graph(state, &edge, initial, self.config.vertices_per_class)
    }

    fn parsing(&self, state: &Tensor, graph: &Graph, train: bool) -> Result<Tensor> {
        let vertices = self.reasoning.forward(&graph.vertices)?;
        let state = reproject_to_pixels(state, &vertices, &graph.projection)?;
        self.score.forward(&self.fuse.forward_t(&state, train)?)
    }

    /// A part's name for an error, with the stride of the level it works at.
    fn part(&self, name: &str, level: usize) -> String {
        part(name, &self.backbone.levels()[level])
    }
}

/// AGRNet's "activated batch norm".
const ACTIVATION: Activation = Activation::Leaky(0.01);

/// A 1x1 convolution.
const POINT: Conv2dConfig = Conv2dConfig { stride: 1, padding: 0, dilation: 1, groups: 1 };

const LAYER: ConvNormConfig = ConvNormConfig { stride: 1, dilation: 1, activation: ACTIVATION };

fn layer(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<ConvNorm> {
    ConvNorm::new(inputs, outputs, 1, LAYER, vb)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    const SMALL: &str = "
        classes = 19
        vertices-per-class = 4
        pyramid-width = 64
        edge-width = 32
        low-width = 16
        state-width = 64
        reduce-width = 24
        memory = 'plain'
        [backbone.small]
        width = 16
        blocks = [2, 2, 2, 2]
        stem-width = 16
        stem-stride = 2
        max-pool = false
    ";

    #[test]
    fn a_config_is_read_and_its_keys_are_checked() {
        let config: Config = toml::from_str(SMALL).unwrap();
        assert_eq!((config.vertices(), config.state_width), (76, 64));
        let error = toml::from_str::<Config>(&SMALL.replace("state-width", "state")).unwrap_err().to_string();
        assert!(
            error.contains("`state`") && error.contains("`state-width`") && error.contains("line 7"),
            "{error}"
        );
        let error = toml::from_str::<Config>(&SMALL.replace("edge-width = 32", "")).unwrap_err().to_string();
        assert!(error.contains("edge-width"), "{error}");
    }

    #[test]
    fn a_size_of_zero_is_refused_by_name() {
        let config = Config { vertices_per_class: 0, ..Config::resnet50(11) };
        let error = Agrnet::new(&config, VarBuilder::zeros(DType::F32, &Device::Cpu)).unwrap_err();
        assert!(error.to_string().contains("vertices-per-class"), "{error}");
    }
}
