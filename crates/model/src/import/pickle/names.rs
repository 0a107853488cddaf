//! The names of a pickle that mean something here. A name that isn't listed is an unknown class, which is never called.

use super::{Class, Element};

/// The meaning of a name.
pub fn class(module: &str, name: &str) -> Class {
    match (module, name) {
        ("collections", "OrderedDict") | ("builtins" | "__builtin__", "dict") => Class::OrderedDict,
        ("builtins" | "__builtin__", "set" | "frozenset") => Class::Set,
        // Lists in an archive of TorchScript.
        ("torch.jit._pickle", _) | ("builtins" | "__builtin__", "list" | "tuple") => Class::First,
        // A parameter is its tensor.
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Class::First,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Class::RebuildTensor,
        ("torch._utils", "_rebuild_tensor_v3") => Class::RebuildTypedTensor,
        ("torch._utils", "_rebuild_qtensor") => Class::RebuildQuantized,
        ("torch._tensor", "_rebuild_from_type_v2" | "_rebuild_from_type") => Class::RebuildSubclass,
        ("torch", name) => name
            .strip_suffix("Storage")
            .map(|kind| Class::Storage(storage_element(kind)))
            .or_else(|| dtype_element(name).map(Class::Dtype))
            .unwrap_or(Class::Unknown),
        ("torch.storage", "UntypedStorage" | "TypedStorage") => Class::Storage(Element::Bytes),
        _ => Class::Unknown,
    }
}

/// The element type of `torch.FloatStorage` and the like.
fn storage_element(kind: &str) -> Element {
    match kind {
        "Half" => Element::F16,
        "BFloat16" => Element::Bf16,
        "Float" => Element::F32,
        "Double" => Element::F64,
        "Bool" | "Byte" | "Char" => Element::Integer(1),
        "Short" => Element::Integer(2),
        "Int" => Element::Integer(4),
        "Long" => Element::Integer(8),
        "QInt8" | "QUInt8" | "QUInt4x2" | "QUInt2x4" => Element::Quantized(1),
        "QInt32" => Element::Quantized(4),
        _ => Element::Bytes,
    }
}

/// The element type that a `torch.dtype` stands for.
fn dtype_element(name: &str) -> Option<Element> {
    Some(match name {
        "float16" | "half" => Element::F16,
        "bfloat16" => Element::Bf16,
        "float32" | "float" => Element::F32,
        "float64" | "double" => Element::F64,
        "bool" | "uint8" | "int8" => Element::Integer(1),
        "int16" | "uint16" => Element::Integer(2),
        "int32" | "uint32" => Element::Integer(4),
        "int64" | "uint64" => Element::Integer(8),
        _ => return None,
    })
}
