//! Convolutions through cuDNN: forward, and the gradients for input and weights, with groups.
//!
//! Algorithm and workspace are found once for each geometry and direction, with cuDNN's heuristics. Of the gradients'
//! algorithms those that add in an order of chance are left out, unless that was asked for: they would make two equal runs differ.
//! Products may be of TF32 where the card has it, as PyTorch's are by default; with `bfloat16` arguments are rounded before and results
//! widened after cuDNN, which adds in f32.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::cudnn::sys::{
    cudnnConvolutionBwdDataAlgo_t as DataAlgorithm, cudnnConvolutionBwdFilterAlgo_t as FilterAlgorithm,
    cudnnConvolutionFwdAlgo_t as ForwardAlgorithm, cudnnConvolutionMode_t, cudnnMathType_t,
    cudnnTensorFormat_t,
};
use candle_core::cuda_backend::cudarc::cudnn::{
    ConvBackwardData, ConvBackwardFilter, ConvDescriptor, ConvForward, Cudnn, CudnnDataType, CudnnError,
    FilterDescriptor, TensorDescriptor,
};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DeviceRepr};
use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage, DeviceId};
use candle_core::{DType, Error, Layout, Result, WithDType, bail};
use half::bf16;

use crate::arithmetic::Precision;
use crate::conv::Geometry;
use crate::profile;

/// The values of a contiguous tensor.
type Values<'a> = (&'a CudaStorage, &'a Layout);

/// One of the passes below.
type Pass = fn(&Geometry, Values, Values) -> Result<CudaStorage>;

/// The output of the convolution of `x` with `weight`.
pub(crate) fn forward(geometry: &Geometry, x: Values, weight: Values) -> Result<CudaStorage> {
    in_precision(geometry, [x, weight], forward_of::<f32>, forward_of::<bf16>)
}

fn forward_of<T: Format>(geometry: &Geometry, (x, lx): Values, (weight, lw): Values) -> Result<CudaStorage> {
    let plan = plan::<T>(geometry, &x.device)?;
    let Descriptors { conv, x: of_x, weight: of_weight, y: of_y } = &plan.descriptors;
    let operation = ConvForward { conv, x: of_x, w: of_weight, y: of_y };
    let (algorithm, bytes) = plan.forward.get(|| {
        let pick = operation.pick_algorithm()?;
        let sized = |algorithm| Result::Ok((algorithm, operation.get_workspace_size(algorithm)?));
        sized(pick).or_else(|_| sized(ForwardAlgorithm::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM))
    })?;
    let (x_values, w_values) = (view(x, lx)?, view(weight, lw)?);
    // SAFETY: cuDNN writes every element before anything launched later can read it.
    let mut y = unsafe { x.device.alloc::<T>(elements(geometry.output_shape())) }?;
    let mut workspace = workspace(&x.device, bytes)?;
    // SAFETY: the descriptors are those of the geometry, and `view` and `alloc` gave as many numbers.
    let status =
        unsafe { operation.launch(algorithm, Some(&mut workspace), scales(), &x_values, &w_values, &mut y) };
    status.map_err(|error| failed("conv2d", geometry, &error))?;
    Ok(CudaStorage::wrap_cuda_slice(y, x.device.clone()))
}

/// The gradient for the input, given `dy`, the one for the output.
pub(crate) fn input_gradient(geometry: &Geometry, weight: Values, dy: Values) -> Result<CudaStorage> {
    in_precision(geometry, [weight, dy], input_gradient_of::<f32>, input_gradient_of::<bf16>)
}

fn input_gradient_of<T: Format>(
    geometry: &Geometry,
    (weight, lw): Values,
    (dy, ly): Values,
) -> Result<CudaStorage> {
    use DataAlgorithm::{
        CUDNN_CONVOLUTION_BWD_DATA_ALGO_0 as BY_CHANCE, CUDNN_CONVOLUTION_BWD_DATA_ALGO_1 as FIXED,
    };
    let plan = plan::<T>(geometry, &dy.device)?;
    let Descriptors { conv, x, weight: of_weight, y } = &plan.descriptors;
    let operation = ConvBackwardData { conv, dx: x, w: of_weight, dy: y };
    let (algorithm, bytes) = plan.input_gradient.get(|| {
        let pick = operation.pick_algorithm()?;
        let sized = |algorithm| Result::Ok((algorithm, operation.get_workspace_size(algorithm)?));
        if geometry.arithmetic.deterministic && pick == BY_CHANCE {
            sized(FIXED)
        } else {
            sized(pick).or_else(|_| sized(FIXED))
        }
    })?;
    let (w_values, dy_values) = (view(weight, lw)?, view(dy, ly)?);
    // SAFETY: cuDNN writes every element before anything launched later can read it.
    let mut dx = unsafe { dy.device.alloc::<T>(elements(geometry.input_shape())) }?;
    let mut workspace = workspace(&dy.device, bytes)?;
    // SAFETY: the descriptors are those of the geometry, and `view` and `alloc` gave as many numbers.
    let status = unsafe {
        operation.launch(algorithm, Some(&mut workspace), scales(), &mut dx, &w_values, &dy_values)
    };
    status.map_err(|error| failed("conv2d, gradient for the input", geometry, &error))?;
    Ok(CudaStorage::wrap_cuda_slice(dx, dy.device.clone()))
}

/// The gradient for the weights, given `dy`, the one for the output.
pub(crate) fn weight_gradient(geometry: &Geometry, x: Values, dy: Values) -> Result<CudaStorage> {
    in_precision(geometry, [x, dy], weight_gradient_of::<f32>, weight_gradient_of::<bf16>)
}

fn weight_gradient_of<T: Format>(
    geometry: &Geometry,
    (x, lx): Values,
    (dy, ly): Values,
) -> Result<CudaStorage> {
    use FilterAlgorithm::{
        CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 as FIXED,
        CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3,
    };
    const BY_CHANCE: [FilterAlgorithm; 2] =
        [CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3];
    let plan = plan::<T>(geometry, &dy.device)?;
    let Descriptors { conv, x: of_x, weight, y } = &plan.descriptors;
    let operation = ConvBackwardFilter { conv, x: of_x, dw: weight, dy: y };
    let (algorithm, bytes) = plan.weight_gradient.get(|| {
        let pick = operation.pick_algorithm()?;
        let sized = |algorithm| Result::Ok((algorithm, operation.get_workspace_size(algorithm)?));
        if geometry.arithmetic.deterministic && BY_CHANCE.contains(&pick) {
            sized(FIXED)
        } else {
            sized(pick).or_else(|_| sized(FIXED))
        }
    })?;
    let (x_values, dy_values) = (view(x, lx)?, view(dy, ly)?);
    // SAFETY: cuDNN writes every element before anything launched later can read it.
    let mut dw = unsafe { dy.device.alloc::<T>(elements(geometry.weight_shape())) }?;
    let mut workspace = workspace(&dy.device, bytes)?;
    // SAFETY: the descriptors are those of the geometry, and `view` and `alloc` gave as many numbers.
    let status = unsafe {
        operation.launch(algorithm, Some(&mut workspace), scales(), &x_values, &mut dw, &dy_values)
    };
    status.map_err(|error| failed("conv2d, gradient for the weights", geometry, &error))?;
    Ok(CudaStorage::wrap_cuda_slice(dw, dy.device.clone()))
}

/// A pass in the arithmetic that was asked for.
fn in_precision(
    geometry: &Geometry,
    [left, right]: [Values; 2],
    in_f32: Pass,
    in_bf16: Pass,
) -> Result<CudaStorage> {
    profile::count(geometry.multiply_adds(), || geometry.form());
    if geometry.arithmetic.precision == Precision::F32 {
        return in_f32(geometry, left, right);
    }
    let rounded = |(storage, layout): Values| {
        let contiguous = Layout::contiguous(layout.shape());
        Result::Ok((storage.to_dtype(layout, DType::BF16)?, contiguous))
    };
    let ((left, ll), (right, lr)) = (rounded(left)?, rounded(right)?);
    let result = in_bf16(geometry, (&left, &ll), (&right, &lr))?;
    let len = result.as_cuda_slice::<bf16>()?.len();
    result.to_dtype(&Layout::contiguous(len), DType::F32)
}

/// A type of numbers that cuDNN multiplies.
trait Format: CudnnDataType + CudaDType + DeviceRepr + WithDType {
    fn known(plans: &mut Plans) -> &mut Known<Self>;
}

impl Format for f32 {
    fn known(plans: &mut Plans) -> &mut Known<Self> {
        &mut plans.f32
    }
}

impl Format for bf16 {
    fn known(plans: &mut Plans) -> &mut Known<Self> {
        &mut plans.bf16
    }
}

/// Of the result, and of what was there before.
fn scales<T: Format>() -> (T, T) {
    (T::from_f64(1.0), T::from_f64(0.0))
}

/// What cuDNN knows of a geometry.
struct Plan<T: Format> {
    descriptors: Descriptors<T>,
    forward: Choice<ForwardAlgorithm>,
    input_gradient: Choice<DataAlgorithm>,
    weight_gradient: Choice<FilterAlgorithm>,
}

struct Descriptors<T: Format> {
    /// Sums are of this type.
    conv: ConvDescriptor<f32>,
    x: TensorDescriptor<T>,
    weight: FilterDescriptor<T>,
    y: TensorDescriptor<T>,
}

/// An algorithm and the bytes that it works with, once they were asked for.
struct Choice<A>(RefCell<Option<(A, usize)>>);

impl<A: Copy> Choice<A> {
    fn get(&self, find: impl FnOnce() -> Result<(A, usize)>) -> Result<(A, usize)> {
        if let Some(known) = *self.0.borrow() {
            return Ok(known);
        }
        let found = find()?;
        *self.0.borrow_mut() = Some(found);
        Ok(found)
    }
}

/// The plans of one format.
type Known<T> = HashMap<(DeviceId, Geometry), Rc<Plan<T>>>;

#[derive(Default)]
struct Plans {
    handles: HashMap<DeviceId, Arc<Cudnn>>,
    f32: Known<f32>,
    bf16: Known<bf16>,
}

thread_local! {
    /// A handle of cuDNN belongs to one thread.
    static PLANS: RefCell<Plans> = RefCell::default();
}

fn plan<T: Format>(geometry: &Geometry, device: &CudaDevice) -> Result<Rc<Plan<T>>> {
    PLANS.with_borrow_mut(|plans| {
        if let Some(plan) = T::known(plans).get(&(device.id(), *geometry)) {
            return Ok(plan.clone());
        }
        let handle = match plans.handles.get(&device.id()) {
            Some(handle) => handle.clone(),
            None => Cudnn::new(device.cuda_stream()).map_err(Error::wrap)?,
        };
        plans.handles.insert(device.id(), handle.clone());
        let plan = Rc::new(Plan {
            descriptors: Descriptors::new(geometry, &handle)?,
            forward: Choice(RefCell::new(None)),
            input_gradient: Choice(RefCell::new(None)),
            weight_gradient: Choice(RefCell::new(None)),
        });
        T::known(plans).insert((device.id(), *geometry), plan.clone());
        Ok(plan)
    })
}

impl<T: Format> Descriptors<T> {
    fn new(geometry: &Geometry, handle: &Arc<Cudnn>) -> Result<Self> {
        const NCHW: cudnnTensorFormat_t = cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
        let [padding, stride, dilation] =
            ints([geometry.padding, geometry.stride, geometry.dilation], geometry)?;
        let [groups] = ints([geometry.groups], geometry)?;
        let mode = cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let conv = handle.create_conv2d::<f32>([padding; 2], [stride; 2], [dilation; 2], mode);
        let mut conv = conv.map_err(Error::wrap)?;
        conv.set_group_count(groups).map_err(Error::wrap)?;
        // Tests compare with float64 closer than TF32 is.
        let exact = cfg!(test) && T::DTYPE == DType::F32;
        let math = if exact { cudnnMathType_t::CUDNN_FMA_MATH } else { cudnnMathType_t::CUDNN_DEFAULT_MATH };
        conv.set_math_type(math).map_err(Error::wrap)?;
        let (x, weight, y) = (geometry.input_shape(), geometry.weight_shape(), geometry.output_shape());
        Ok(Self {
            conv,
            x: handle.create_4d_tensor(NCHW, ints(x.into(), geometry)?).map_err(Error::wrap)?,
            weight: handle.create_4d_filter(NCHW, ints(weight.into(), geometry)?).map_err(Error::wrap)?,
            y: handle.create_4d_tensor(NCHW, ints(y.into(), geometry)?).map_err(Error::wrap)?,
        })
    }
}

/// The numbers as cuDNN takes them.
fn ints<const N: usize>(sizes: [usize; N], geometry: &Geometry) -> Result<[i32; N]> {
    let mut ints = [0; N];
    for (int, size) in ints.iter_mut().zip(sizes) {
        let Ok(value) = i32::try_from(size) else { bail!("conv2d: too large for cuDNN: {geometry:?}") };
        *int = value;
    }
    Ok(ints)
}

fn elements((a, b, c, d): (usize, usize, usize, usize)) -> usize {
    a * b * c * d
}

/// The numbers of a contiguous tensor.
fn view<'a, T: Format>(storage: &'a CudaStorage, layout: &Layout) -> Result<CudaView<'a, T>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(storage.as_cuda_slice::<T>()?.slice(start..end)),
        None => bail!("conv2d: the tensor {:?} must be contiguous", layout.shape()),
    }
}

fn workspace(device: &CudaDevice, bytes: usize) -> Result<CudaSlice<u8>> {
    // SAFETY: cuDNN counts on nothing that lies in a workspace.
    unsafe { device.alloc::<u8>(bytes.max(1)) }
}

fn failed(operation: &str, geometry: &Geometry, error: &CudnnError) -> Error {
    Error::Msg(format!("{operation}: cuDNN refuses {geometry:?}: {error}"))
}
