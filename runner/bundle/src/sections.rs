//! The top-level sections of a component: where they begin and end, and nothing of what is in them.
//!
//! Nested modules and components are single sections here, so nothing inside them can be taken
//! for something of the component itself.

use std::ops::Range;

use wasmparser::{BinaryReader, BinaryReaderError};

use crate::{BundleError, MAX_COMPONENT};

const MAGIC: &[u8] = b"\0asm";
/// Version 13, layer 1: a component.
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
/// Version 1, layer 0: a core module.
const MODULE: &[u8] = &[1, 0, 0, 0];

/// The length of the preamble: magic number, version and layer.
pub(crate) const PREAMBLE: usize = 8;

/// Section numbers of the component model's binary format.
pub(crate) const CUSTOM: u8 = 0;
pub(crate) const IMPORT: u8 = 10;
pub(crate) const EXPORT: u8 = 11;

/// One top-level section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// Its number.
    pub(crate) id: u8,
    /// With number and length.
    pub(crate) whole: Range<usize>,
    /// Without them.
    pub(crate) content: Range<usize>,
}

/// The name and the data of a custom section.
pub(crate) struct Custom<'a> {
    pub(crate) name: &'a str,
    pub(crate) data: &'a [u8],
}

impl Section {
    /// A reader of the content.
    pub(crate) fn reader<'a>(&self, component: &'a [u8]) -> BinaryReader<'a> {
        let bytes = component.get(self.content.clone()).unwrap_or_default();
        BinaryReader::new(bytes, self.content.start)
    }

    /// The section as a custom one, if it is.
    pub(crate) fn custom<'a>(
        &self,
        component: &'a [u8],
    ) -> Result<Option<Custom<'a>>, BundleError> {
        if self.id != CUSTOM {
            return Ok(None);
        }
        let mut reader = self.reader(component);
        let name = reader.read_string().map_err(damaged)?;
        let data = reader
            .read_bytes(reader.bytes_remaining())
            .map_err(damaged)?;
        Ok(Some(Custom { name, data }))
    }
}

/// The sections of a component, in order, covering it from the preamble to the last byte. One by
/// one, so that a file of a hundred million empty sections costs no memory.
pub(crate) fn sections(component: &[u8]) -> Result<Sections<'_>, BundleError> {
    if component.len() > MAX_COMPONENT {
        return Err(BundleError::TooLarge {
            what: "the component",
            size: component.len(),
            limit: MAX_COMPONENT,
        });
    }
    match (component.get(..4), component.get(4..PREAMBLE)) {
        (Some(MAGIC), Some(COMPONENT)) => {}
        (Some(MAGIC), Some(MODULE)) => return Err(BundleError::CoreModule),
        _ => return Err(BundleError::NotWasm),
    }
    Ok(Sections {
        reader: BinaryReader::new(&component[PREAMBLE..], PREAMBLE),
    })
}

/// Yields each section; after an error nothing of what it yielded may be used.
pub(crate) struct Sections<'a> {
    reader: BinaryReader<'a>,
}

impl Sections<'_> {
    fn read(&mut self) -> Result<Section, BinaryReaderError> {
        let start = self.reader.original_position();
        let id = self.reader.read_u8()?;
        let length = self.reader.read_var_u32()? as usize;
        let content = self.reader.original_position();
        self.reader.read_bytes(length)?;
        let end = self.reader.original_position();
        Ok(Section {
            id,
            whole: start..end,
            content: content..end,
        })
    }
}

impl Iterator for Sections<'_> {
    type Item = Result<Section, BundleError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.eof() {
            return None;
        }
        let section = self.read().map_err(damaged);
        if section.is_err() {
            self.reader = BinaryReader::new(&[], 0);
        }
        Some(section)
    }
}

pub(crate) fn damaged(error: BinaryReaderError) -> BundleError {
    BundleError::Damaged {
        offset: error.offset(),
        why: error.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wasm_encoder::{Component, ComponentSection, CustomSection, Module, ModuleSection};
    use wasmparser::{Parser, Payload};

    /// What wasmparser, and so the engine, sees as custom sections of the outermost component.
    fn reference(component: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut depth = 0;
        let mut found = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            match payload.unwrap() {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::CustomSection(section) if depth == 0 => {
                    found.push((section.name().to_owned(), section.data().to_vec()));
                }
                _ => {}
            }
        }
        found
    }

    proptest! {
        #[test]
        fn the_sections_are_those_that_the_engine_sees(
            parts in prop::collection::vec((0..3u8, "[a-z:]{0,12}", prop::collection::vec(any::<u8>(), 0..300)), 0..8)
        ) {
            let mut component = Component::new();
            for (kind, name, data) in &parts {
                let custom = CustomSection { name: name.into(), data: data.into() };
                match kind {
                    0 => { component.section(&custom); }
                    1 => {
                        let mut inner = Module::new();
                        inner.section(&custom);
                        component.section(&ModuleSection(&inner));
                    }
                    _ => {
                        let mut inner = Component::new();
                        inner.section(&custom);
                        component.section(&wasm_encoder::NestedComponentSection(&inner));
                    }
                }
            }
            let bytes = component.finish();
            let seen: Vec<_> = sections(&bytes).unwrap()
                .filter_map(|section| section.unwrap().custom(&bytes).unwrap())
                .map(|c| (c.name.to_owned(), c.data.to_vec()))
                .collect();
            prop_assert_eq!(seen, reference(&bytes));
        }

        #[test]
        fn no_bytes_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = [MAGIC, COMPONENT, &tail].concat();
            for section in sections(&bytes).unwrap().flatten() {
                let _ = section.custom(&bytes);
            }
        }
    }

    #[test]
    fn the_encoder_and_this_reader_agree_on_the_numbers_of_sections() {
        assert_eq!(wasm_encoder::ComponentImportSection::new().id(), IMPORT);
        assert_eq!(wasm_encoder::ComponentExportSection::new().id(), EXPORT);
    }
}
