//! A checkpoint as one message: what rank 0 sends to the other ranks when a training starts.

use std::path::Path;

use burn::optim::OptimizerRecord;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, Device};

use super::{Checkpoint, Contents, Info, record_of, state_from_bytes, state_to_bytes, unreadable};
use crate::CheckpointError;

impl Info {
    /// A checkpoint of this and the contents: each part after its length; what isn't there has no bytes.
    ///
    /// # Errors
    /// If a part can't be serialised.
    pub fn to_bytes(&self, contents: Contents<'_>) -> Result<Vec<u8>, CheckpointError> {
        let Contents { model, average, optimizer, state } = contents;
        let unwritable = |source: RecordError| CheckpointError::Write {
            path: "rank 0".into(),
            source: std::io::Error::other(source),
        };
        let info = serde_json::to_vec(self).expect("settings become JSON");
        let model = record_of(model).into_bytes().map_err(unwritable)?;
        let average = average.map(|network| record_of(network).into_bytes());
        let average = average.transpose().map_err(unwritable)?;
        let optimizer = optimizer.into_bytes().map_err(unwritable)?;
        let state = state.map(|state| state_to_bytes(state).expect("a state is made of tensors"));
        let mut message = Vec::new();
        let parts: [&[u8]; 5] = [
            &info,
            &model,
            average.as_deref().unwrap_or_default(),
            &optimizer,
            state.as_deref().unwrap_or_default(),
        ];
        for part in parts {
            message.extend_from_slice(&(part.len() as u64).to_le_bytes());
            message.extend_from_slice(part);
        }
        Ok(message)
    }
}

impl Checkpoint {
    /// The checkpoint in a message of [`Info::to_bytes`]; `from` is who sent it.
    ///
    /// # Errors
    /// If it isn't such a message.
    pub fn from_bytes(
        mut message: &[u8],
        from: &Path,
        device: &Device,
    ) -> Result<Self, CheckpointError> {
        let mut part = || {
            let (length, rest) = message.split_first_chunk()?;
            let (part, rest) = rest.split_at_checked(u64::from_le_bytes(*length) as usize)?;
            message = rest;
            Some(part)
        };
        let mut next = || part().ok_or_else(|| unreadable(from)("the message is cut short"));
        let [info, model, average, optimizer, state] =
            [next()?, next()?, next()?, next()?, next()?];
        let record = |bytes: &[u8]| {
            let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes.to_vec()));
            record.map_err(unreadable(from))
        };
        let optimizer = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(optimizer.to_vec()));
        let state = (!state.is_empty()).then(|| state_from_bytes(state, device));
        Ok(Self {
            info: serde_json::from_slice(info).map_err(unreadable(from))?,
            model: record(model)?,
            average: (!average.is_empty()).then(|| record(average)).transpose()?,
            optimizer: optimizer.map_err(unreadable(from))?,
            state: state.transpose().map_err(unreadable(from))?,
        })
    }
}
