//! An XML document as a tree of elements that know where they stand.
//!
//! Namespaces are resolved; comments and processing instructions are passed over; entities other than the five of XML
//! and character references are errors, so that no document can grow while it is read.

use std::ops::Range;
use std::sync::Arc;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

use crate::diagnostic::{Diagnostic, SourceFile, Span};

/// Deepest nesting of elements.
const MOST_DEPTH: usize = 500;

/// An element.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// its name without a prefix
    pub name: String,
    /// the namespace its prefix stands for; empty where there is none
    pub namespace: String,
    /// its attributes in order
    pub attributes: Vec<Attribute>,
    /// what is inside
    pub content: Vec<Content>,
    /// its start tag
    pub span: Span,
}

/// What stands inside an element.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// an element
    Element(Element),
    /// text, entities replaced
    Text(String),
}

/// An attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// its name without a prefix
    pub name: String,
    /// the namespace its prefix stands for; `None` where it has no prefix
    pub namespace: Option<String>,
    /// its value, entities replaced
    pub value: String,
    /// the value's place
    pub span: Span,
}

impl Element {
    /// The elements inside, in order.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.content.iter().filter_map(|content| match content {
            Content::Element(element) => Some(element),
            Content::Text(_) => None,
        })
    }
    /// The first element inside with a name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.elements().find(|element| element.name == name)
    }
    /// An attribute without a prefix.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name && attribute.namespace.is_none())
    }
    /// The text inside, that of inner elements too, blanks around it removed.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut stack: Vec<&Content> = self.content.iter().rev().collect();
        while let Some(content) = stack.pop() {
            match content {
                Content::Text(inner) => text += inner,
                Content::Element(element) => stack.extend(element.content.iter().rev()),
            }
        }
        text.trim().to_owned()
    }
}

/// Reads a document; its outermost element.
pub fn read(file: &Arc<SourceFile>) -> Result<Element, Box<Diagnostic>> {
    let mut reader = Reader {
        file,
        open: Vec::new(),
        root: None,
    };
    let mut xml = NsReader::from_str(&file.text);
    xml.config_mut().expand_empty_elements = true;
    loop {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a place in a text in memory"
        )]
        let start = xml.buffer_position() as usize;
        let event = match xml.read_event() {
            Ok(event) => event,
            Err(error) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a place in a text in memory"
                )]
                let at = xml.error_position() as usize;
                return Err(reader.malformed(at..at + 1, error.to_string()));
            }
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a place in a text in memory"
        )]
        let end = xml.buffer_position() as usize;
        match event {
            Event::Start(tag) => {
                let element = reader.element(&xml, &tag, start..end)?;
                reader.open.push(element);
                if reader.open.len() > MOST_DEPTH {
                    let message = format!("more than {MOST_DEPTH} elements inside one another");
                    return Err(reader.malformed(start..end, message));
                }
            }
            Event::End(_) => {
                // (a tag that closes nothing is the reader's own error)
                if let Some(element) = reader.open.pop() {
                    match reader.open.last_mut() {
                        Some(outer) => outer.content.push(Content::Element(element)),
                        None => reader.root = Some(element),
                    }
                }
            }
            Event::Text(text) => reader.text(&text, start..end)?,
            Event::CData(text) => reader.text(&text, start..end)?,
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Some(character),
                    Ok(None) => match &*reference {
                        "lt" => Some('<'),
                        "gt" => Some('>'),
                        "amp" => Some('&'),
                        "quot" => Some('"'),
                        "apos" => Some('\''),
                        _ => None,
                    },
                    Err(_) => None,
                };
                let Some(character) = character else {
                    let message = format!("unknown entity `&{};`", &*reference);
                    return Err(reader.malformed(start..end, message));
                };
                reader.text(character.encode_utf8(&mut [0; 4]), start..end)?;
            }
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    if let Some(open) = reader.open.pop() {
        let message = format!("`<{}>` is never closed", open.name);
        let mut diagnostic = malformed(open.span, message);
        diagnostic.label = "opened here".to_owned();
        return Err(Box::new(diagnostic));
    }
    let end = file.text.len();
    reader
        .root
        .take()
        .ok_or_else(|| reader.malformed(end..end, "there is no element in the file".to_owned()))
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    open: Vec<Element>,
    root: Option<Element>,
}

fn malformed(span: Span, message: String) -> Diagnostic {
    Diagnostic::error("xml::malformed", format!("not XML: {message}"), Some(span))
        .with_help("the file must be a whole XML document; is it cut off, or another format?")
}

impl Reader<'_> {
    fn span(&self, range: Range<usize>) -> Span {
        let end = self.file.text.len();
        Span {
            file: Arc::clone(self.file),
            start: range.start.min(end),
            end: range.end.min(end),
        }
    }

    fn malformed(&self, range: Range<usize>, message: String) -> Box<Diagnostic> {
        Box::new(malformed(self.span(range), message))
    }

    fn text(&mut self, text: &str, range: Range<usize>) -> Result<(), Box<Diagnostic>> {
        match self.open.last_mut() {
            Some(element) => {
                if let Some(Content::Text(before)) = element.content.last_mut() {
                    before.push_str(text);
                } else {
                    element.content.push(Content::Text(text.to_owned()));
                }
                Ok(())
            }
            None if text.trim_start_matches('\u{feff}').trim().is_empty() => Ok(()),
            None => Err(self.malformed(range, "text outside of any element".to_owned())),
        }
    }

    fn element(
        &self,
        xml: &NsReader<&[u8]>,
        tag: &BytesStart<'_>,
        range: Range<usize>,
    ) -> Result<Element, Box<Diagnostic>> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.malformed(range, "a second outermost element".to_owned()));
        }
        let bound = |resolved: ResolveResult<'_>| match resolved {
            ResolveResult::Bound(namespace) => Ok(Some(namespace.as_ref().to_owned())),
            ResolveResult::Unbound => Ok(None),
            ResolveResult::Unknown(prefix) => Err(self.malformed(
                range.clone(),
                format!("the prefix `{prefix}` stands for no namespace"),
            )),
        };
        let (namespace, name) = xml.resolver().resolve_element(tag.name());
        let namespace = bound(namespace)?.unwrap_or_default();
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
            let attribute =
                attribute.map_err(|error| self.malformed(range.clone(), error.to_string()))?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| self.malformed(range.clone(), error.to_string()))?;
            let (namespace, name) = xml.resolver().resolve_attribute(attribute.key);
            attributes.push(Attribute {
                name: name.as_ref().to_owned(),
                namespace: bound(namespace)?,
                span: self.value_span(attribute.value.as_ref(), &range),
                value: value.into_owned(),
            });
        }
        Ok(Element {
            name: name.as_ref().to_owned(),
            namespace,
            attributes,
            content: Vec::new(),
            span: self.span(range),
        })
    }

    /// Where the raw value of an attribute stands: it is a part of the text.
    fn value_span(&self, raw: &str, tag: &Range<usize>) -> Span {
        let base = self.file.text.as_ptr() as usize;
        let at = (raw.as_ptr() as usize).wrapping_sub(base);
        if at >= tag.start && at + raw.len() <= tag.end {
            self.span(at..at + raw.len())
        } else {
            self.span(tag.clone())
        }
    }
}
