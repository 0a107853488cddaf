//! The names that a pickle may reference.

use super::{Element, Name};

/// The meaning of a name, if a pickle may reference it. `torch.load(weights_only=True)` allows the same names, as far as they
/// occur beside the weights of recurrent networks.
pub fn known(module: &str, name: &str) -> Option<Name> {
    let integer = |bytes| Name::Storage(Element::Integer(bytes));
    Some(match (module, name) {
        ("collections", "OrderedDict") => Name::OrderedDict,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Name::RebuildTensor,
        ("torch._utils", "_rebuild_parameter") => Name::RebuildParameter,
        ("torch", "HalfStorage") => Name::Storage(Element::F16),
        ("torch", "BFloat16Storage") => Name::Storage(Element::Bf16),
        ("torch", "FloatStorage") => Name::Storage(Element::F32),
        ("torch", "DoubleStorage") => Name::Storage(Element::F64),
        ("torch", "BoolStorage" | "ByteStorage" | "CharStorage") => integer(1),
        ("torch", "ShortStorage") => integer(2),
        ("torch", "IntStorage") => integer(4),
        ("torch", "LongStorage") => integer(8),
        (
            "torch",
            "Size" | "device" | "float16" | "bfloat16" | "float32" | "float64" | "int8" | "int16"
            | "int32" | "int64" | "uint8" | "bool" | "strided",
        )
        | ("collections", "Counter" | "defaultdict")
        | ("builtins" | "__builtin__", "set" | "frozenset" | "int" | "float" | "str" | "list" | "dict")
        // A scalar of numpy's, and the encoding of its bytes.
        | ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar")
        | ("numpy", "dtype")
        | ("_codecs", "encode") => Name::Harmless,
        ("numpy.dtypes", dtype) if dtype.ends_with("DType") => Name::Harmless,
        _ => return None,
    })
}
