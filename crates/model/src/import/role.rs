//! The role that a user gives to a tensor of a file: `--map NAME=ROLE`.

/// What a tensor, or the tensors of a module, are in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorRole {
    /// Name of a tensor in the file, or of a module: all before a dot.
    pub name: String,
    /// A parameter's name in a model file (`embed.weight`, `rnn.weight_ih_l0`, …, `fc.bias`), or that of its module (`embed`,
    /// `rnn`, `fc`), or `ignore` for a tensor that the network doesn't need.
    pub role: String,
}

/// The modules of a network.
const MODULES: [&str; 3] = ["embed", "rnn", "fc"];

impl TensorRole {
    /// The role `ignore`.
    const IGNORE: &str = "ignore";

    /// Reads `NAME=ROLE`.
    ///
    /// # Errors
    /// A sentence that says what a role is.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let legal = "it must be NAME=ROLE, where ROLE is embed, rnn, fc, ignore, or a parameter such as \
                     rnn.weight_ih_l0";
        let (name, role) = typed.rsplit_once('=').ok_or(legal)?;
        let (module, parameter) = role.split_once('.').unwrap_or((role, ""));
        let is_layer = |part: &str| {
            let parts = ["weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l"];
            let number = parts.iter().find_map(|name| part.strip_prefix(name));
            number.is_some_and(|number| number.parse::<u8>().is_ok())
        };
        let is_role = match (module, parameter) {
            ("embed" | "rnn" | "fc" | Self::IGNORE, "") => !role.ends_with('.'),
            ("embed", parameter) => parameter == "weight",
            ("rnn", parameter) => is_layer(parameter),
            ("fc", parameter) => matches!(parameter, "weight" | "bias"),
            _ => false,
        };
        if name.is_empty() || !is_role {
            return Err(legal.to_owned());
        }
        Ok(Self { name: name.to_owned(), role: role.to_owned() })
    }

    /// What follows the role's name in the name of a tensor, if it is about that tensor.
    pub(super) fn rest<'a>(&self, tensor: &'a str) -> Option<&'a str> {
        let rest = tensor.strip_prefix(&self.name)?;
        match rest.strip_prefix('.') {
            None if !rest.is_empty() => None,
            within => Some(within.unwrap_or("")),
        }
    }

    /// The name that this role gives to a tensor with so many axes: `None` if it isn't about the tensor, and `None` within
    /// if the tensor is to be ignored.
    pub(super) fn of(&self, tensor: &str, axes: usize) -> Option<Option<String>> {
        let rest = self.rest(tensor)?;
        if self.role == Self::IGNORE {
            return Some(None);
        }
        if !MODULES.contains(&&*self.role) {
            return Some(Some(self.role.clone()));
        }
        let last = rest.rsplit('.').next().unwrap_or(rest);
        Some(Some(match (&*self.role, axes) {
            ("rnn", _) => format!("rnn.{last}"),
            (module, 1) => format!("{module}.bias"),
            (module, _) => format!("{module}.weight"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(typed: &str) -> TensorRole {
        TensorRole::parse(typed).unwrap()
    }

    #[test]
    fn a_module_gives_each_of_its_tensors_a_name() {
        let name = |typed: &str, tensor: &str, axes| role(typed).of(tensor, axes);
        let some = |name: &str| Some(Some(name.to_owned()));
        assert_eq!(name("net.lstm=rnn", "net.lstm.weight_ih_l1", 2), some("rnn.weight_ih_l1"));
        assert_eq!(name("head=fc", "head.0.weight", 2), some("fc.weight"));
        assert_eq!(name("head=fc", "head.0.bias", 1), some("fc.bias"));
        assert_eq!(name("table=embed", "table", 2), some("embed.weight"));
        assert_eq!(name("a.w=rnn.weight_hh_l0", "a.w", 2), some("rnn.weight_hh_l0"));
        assert_eq!(name("ema=ignore", "ema.fc.weight", 2), Some(None));
        assert_eq!(name("ema=ignore", "emaciated.fc.weight", 2), None);
    }

    #[test]
    fn a_role_that_no_tensor_can_have_is_refused() {
        for typed in
            ["a", "=fc", "a=", "a=fc.", "a=fcs", "a=rnn.weight", "a=embed.bias", "a=ignore.x"]
        {
            assert!(TensorRole::parse(typed).is_err(), "{typed}");
        }
        assert_eq!(role("a=b=fc").name, "a=b");
    }
}
