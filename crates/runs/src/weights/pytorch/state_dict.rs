//! Where in a pickle the tensors by name are, and where in the storages each of them lies.

use crate::weights::pickle::{Call, Id, Pickle};

/// Where a tensor's numbers lie.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// The key of its storage.
    pub(super) storage: &'a str,
    /// In elements, like the strides.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

impl Place<'_> {
    /// How many numbers the tensor has; none beyond 64 bits.
    pub(super) fn elements(&self) -> Option<u64> {
        super::super::count(&self.shape)?.try_into().ok()
    }
}

/// Keys under which training programs keep a state dict beside other things, the likelier first.
const KEYS: [&str; 8] =
    ["state_dict", "model_state", "model_state_dict", "model", "net", "network", "weights", "params"];

/// A state dict lies no deeper than this in a file.
const DEEPEST: usize = 4;

/// The tensors of the state dict that a pickle is or holds, by name. The error tells what the pickle is instead.
pub(super) fn places<'a>(pickle: &Pickle<'a>) -> Result<Vec<(String, Place<'a>)>, String> {
    let mut walk = Walk { pickle, left: 4 * pickle.len(), places: Vec::new() };
    let found = walk.find(pickle.root, DEEPEST)?;
    walk.collect(found, "", DEEPEST_MODULE)?;
    Ok(walk.places)
}

/// A module inside a module, and so on: no network is deeper.
const DEEPEST_MODULE: usize = 64;

/// No parameter's name is longer, in bytes.
const LONGEST_NAME: usize = 1000;

struct Walk<'p, 'a> {
    pickle: &'p Pickle<'a>,
    /// Items to look at before it is clear that they are far more than the file holds.
    left: usize,
    places: Vec<(String, Place<'a>)>,
}

impl<'a> Walk<'_, 'a> {
    /// The dictionary whose values are tensors.
    fn find(&mut self, id: Id, depth: usize) -> Result<Id, String> {
        let pickle = self.pickle;
        if script_attributes(pickle, id).is_some() {
            return Ok(id);
        }
        let Some(items) = self.items(id)? else { return Err(whole_object(pickle, id)) };
        let values: Vec<(&str, Id)> =
            items.iter().filter_map(|&(key, value)| Some((pickle.text(key)?, value))).collect();
        if values.iter().any(|&(_, value)| is_tensor(pickle, value)) {
            return Ok(id);
        }
        let depth = depth.checked_sub(1).ok_or_else(|| none_found(&values))?;
        let known = KEYS.iter().find_map(|&known| values.iter().find(|(key, _)| *key == known));
        if let Some(&(_, value)) = known {
            return self.find(value, depth);
        }
        self.only_holder(&values)
    }

    /// The one among `values` whose values are tensors.
    fn only_holder(&mut self, values: &[(&str, Id)]) -> Result<Id, String> {
        let mut only: Option<(&str, Id)> = None;
        for &(key, value) in values {
            let items = self.items(value)?.unwrap_or_default();
            if !items.iter().any(|&(_, value)| is_tensor(self.pickle, value)) {
                continue;
            }
            if let Some((first, _)) = only {
                return Err(format!(
                    "it holds several sets of weights, such as '{first}' and '{key}'; save one of them to a file of its own"
                ));
            }
            only = Some((key, value));
        }
        only.map(|(_, value)| value).ok_or_else(|| none_found(values))
    }

    /// The tensors of a dictionary, or of a module and those inside it.
    fn collect(&mut self, id: Id, prefix: &str, depth: usize) -> Result<(), String> {
        let pickle = self.pickle;
        let is_script = script_attributes(pickle, id).is_some();
        let attributes = script_attributes(pickle, id).unwrap_or(id);
        for (key, value) in self.items(attributes)?.unwrap_or_default() {
            let Some(key) = pickle.text(key).filter(|key| !key.ends_with(UNUSED)) else { continue };
            if prefix.len() + key.len() > LONGEST_NAME {
                return Err(format!("the name {prefix}{key:.60}… has more than {LONGEST_NAME} bytes"));
            }
            let name = format!("{prefix}{key}");
            if let Some(place) = place(pickle, value).map_err(|why| format!("the tensor '{name}': {why}"))? {
                self.places.push((name, place));
            } else if is_script && script_attributes(pickle, value).is_some() {
                let depth = depth.checked_sub(1).ok_or("its modules lie too deep in each other")?;
                self.collect(value, &format!("{name}."), depth)?;
            }
        }
        Ok(())
    }

    /// Keys and values of a dictionary.
    fn items(&mut self, id: Id) -> Result<Option<Vec<(Id, Id)>>, String> {
        let items = self.pickle.items(id);
        let count = 1 + items.as_ref().map_or(0, Vec::len);
        self.left = self.left.checked_sub(count).ok_or("its parts repeat each other without end")?;
        Ok(items)
    }
}

/// What batch norm counts, for a kind of averages that nobody uses.
const UNUSED: &str = "num_batches_tracked";

fn none_found(values: &[(&str, Id)]) -> String {
    let keys: Vec<&str> = values.iter().take(8).map(|(key, _)| *key).collect();
    format!(
        "it holds no tensors by name; its keys are: {}",
        if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
    )
}

fn whole_object(pickle: &Pickle, id: Id) -> String {
    let class = class(pickle, id).map_or_else(
        || "a whole Python object".to_owned(),
        |(module, name)| format!("a whole object of the class {module}.{name}"),
    );
    format!(
        "it holds {class}, not tensors by name; load it where its class is known and save the weights alone: torch.save(model.state_dict(), FILE)"
    )
}

/// Module and name of an object's class.
fn class<'a>(pickle: &Pickle<'a>, id: Id) -> Option<(&'a str, &'a str)> {
    let call = pickle.call(id)?;
    let mut class = call.of;
    if matches!(pickle.global(class), Some(("copyreg" | "copy_reg", _))) {
        class = *pickle.sequence(call.arguments)?.first()?;
    }
    if let Some(key) = pickle.key_outside(class) {
        class = *pickle.sequence(key)?.get(1)?; // older files keep the source of classes beside the pickle
    }
    pickle.global(class)
}

/// The attributes of a TorchScript module, a dictionary.
fn script_attributes(pickle: &Pickle, id: Id) -> Option<Id> {
    let call = pickle.call(id)?;
    let (module, _) = pickle.global(call.of)?;
    if module.starts_with("__torch__") { call.state } else { None }
}

fn is_tensor(pickle: &Pickle, id: Id) -> bool {
    !matches!(place(pickle, id), Ok(None))
}

/// Where the tensor `id` lies, if it is one.
fn place<'a>(pickle: &Pickle<'a>, mut id: Id) -> Result<Option<Place<'a>>, String> {
    for _ in 0..DEEPEST {
        let Some(Call { of, arguments, .. }) = pickle.call(id) else { return Ok(None) };
        let Some(arguments) = pickle.sequence(*arguments) else { return Ok(None) };
        match (pickle.global(*of), arguments) {
            (
                Some(("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2")),
                [storage, offset, shape, strides, ..],
            ) => {
                return rebuilt(pickle, [*storage, *offset, *shape, *strides]).map(Some);
            }
            (Some(("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state")), [data, ..]) => {
                id = *data
            }
            (Some(("torch._tensor", "_rebuild_from_type_v2")), [_, _, inner, ..]) => {
                let Some(&[storage, offset, shape, strides, ..]) = pickle.sequence(*inner) else {
                    return Ok(None);
                };
                return rebuilt(pickle, [storage, offset, shape, strides]).map(Some);
            }
            (Some(("torch._utils", name)), _) if name.starts_with("_rebuild") => {
                return Err(format!(
                    "it is of a kind that is not read here ({name}); save it as a plain tensor"
                ));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

fn rebuilt<'a>(pickle: &Pickle<'a>, [storage, offset, shape, strides]: [Id; 4]) -> Result<Place<'a>, String> {
    let key = pickle.key_outside(storage).and_then(|key| super::storage::parts(pickle, key));
    let (Some(key), Some(offset)) = (key, pickle.size(offset)) else {
        return Err("its storage or offset is missing".to_owned());
    };
    let (Some(shape), Some(strides)) = (sizes(pickle, shape), sizes(pickle, strides)) else {
        return Err("its shape or strides are no numbers".to_owned());
    };
    if shape.len() != strides.len() {
        return Err(format!("it has {} sizes and {} strides", shape.len(), strides.len()));
    }
    let offset = offset.checked_add(key.view).ok_or("its offset is beyond all files")?;
    Ok(Place { storage: key.key, offset, shape, strides })
}

/// More dimensions no tensor has.
const MOST_DIMENSIONS: usize = 64;

/// A tuple of numbers, or a `torch.Size`.
fn sizes(pickle: &Pickle, id: Id) -> Option<Vec<usize>> {
    let id = match pickle.call(id) {
        Some(call) if pickle.global(call.of)? == ("torch", "Size") => {
            *pickle.sequence(call.arguments)?.first()?
        }
        _ => id,
    };
    let sizes = pickle.sequence(id).filter(|sizes| sizes.len() <= MOST_DIMENSIONS)?;
    sizes.iter().map(|&size| pickle.size(size)).collect()
}
