//! A conversion while it is made: the edits of the source, and what was found on the way.

use std::collections::{BTreeMap, BTreeSet};

use oxc_ast::AstKind;
use oxc_semantic::{NodeId, SymbolId};
use oxc_span::Span;

use super::note::Note;
use super::source::{Edits, RuleFunction, Then, Tree};

const DENIED: &str =
    "the application gets error=access_denied, where a rule's UnauthorizedError gives unauthorized";

/// How `exports` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// An async function: every callback is called by the rule's own function.
    Straight,
    /// A promise: a callback is called later, by another function.
    Promise,
}

/// The functions and variables that an action needs beside its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Helper {
    Memory,
    UnauthorizedError,
    ReasonOf,
    SaveAppMetadata,
    SaveUserMetadata,
}

/// The state of one conversion.
pub(super) struct Draft<'t, 'a> {
    pub(super) tree: &'t Tree<'a>,
    pub(super) function: &'t RuleFunction<'a>,
    pub(super) edits: Edits,
    /// Edits that the wrapper needs too.
    pub(super) common_edits: Edits,
    pub(super) form: Form,
    /// Whether the rule redirects, so that the action needs a handler that continues.
    pub(super) redirects: bool,
    /// Identifiers that another edit has replaced.
    pub(super) done: BTreeSet<NodeId>,
    /// Functions whose code becomes a part of the code around them.
    pub(super) inlined: BTreeSet<NodeId>,
    /// Their code, with the statement that it became a part of.
    pub(super) bodies: Vec<(Span, Then<'a>)>,
    pub(super) notes: BTreeSet<Note>,
    /// What an action cannot do.
    pub(super) refusals: BTreeSet<Note>,
    /// Why the rule needs the wrapper.
    pub(super) obstacles: BTreeSet<Note>,
    pub(super) secrets: BTreeSet<String>,
    pub(super) dependencies: BTreeMap<String, String>,
    pub(super) helpers: BTreeSet<Helper>,
    /// The statements that require what was a global.
    pub(super) requires: String,
    /// The calls that save metadata.
    pub(super) saves: Vec<NodeId>,
}

impl<'t, 'a> Draft<'t, 'a> {
    pub(super) fn new(tree: &'t Tree<'a>, function: &'t RuleFunction<'a>) -> Self {
        Self {
            tree,
            function,
            edits: Edits::default(),
            common_edits: Edits::default(),
            form: Form::Straight,
            redirects: false,
            done: BTreeSet::new(),
            inlined: BTreeSet::new(),
            bodies: Vec::new(),
            notes: BTreeSet::new(),
            refusals: BTreeSet::new(),
            obstacles: BTreeSet::new(),
            secrets: BTreeSet::new(),
            dependencies: BTreeMap::new(),
            helpers: BTreeSet::new(),
            requires: String::new(),
            saves: Vec::new(),
        }
    }

    /// Notes a decision for the reader of the conversion.
    pub(super) fn note(&mut self, node: NodeId, text: impl Into<String>) {
        self.notes.insert(self.at(node, text));
    }

    /// Refuses the rule: an action cannot do what this node does.
    pub(super) fn refuse(&mut self, node: NodeId, text: impl Into<String>) {
        self.refusals.insert(self.at(node, text));
    }

    /// Leaves the rule's function as it is, in the wrapper.
    pub(super) fn wrap(&mut self, node: NodeId, text: impl Into<String>) {
        self.obstacles.insert(self.at(node, text));
    }

    fn at(&self, node: NodeId, text: impl Into<String>) -> Note {
        Note { line: self.tree.line(self.tree.span(node).start), text: text.into() }
    }

    /// Replaces a part of the text.
    pub(super) fn replace(&mut self, span: Span, by: impl Into<String>) {
        self.edits.replace(span.start, span.end, by);
    }

    /// Removes a statement, with its line when nothing else is on it.
    pub(super) fn remove_statement(&mut self, span: Span) {
        let text = self.tree.text;
        let before = text.get(..span.start as usize).unwrap_or_default();
        let after = text.get(span.end as usize..).unwrap_or_default();
        let blank = before.len() - before.trim_end_matches([' ', '\t']).len();
        let rest = after.len() - after.trim_start_matches([' ', '\t']).len();
        let own_line = before.trim_end_matches([' ', '\t']).ends_with('\n')
            && after.trim_start_matches([' ', '\t']).starts_with('\n');
        match own_line {
            true => {
                // At the beginning of a block, the empty line after it goes too.
                let empty = before.trim_end().ends_with('{')
                    && after.trim_start_matches([' ', '\t']).starts_with("\n\n");
                let end = span.end + rest as u32 + 1 + u32::from(empty);
                self.edits.replace(span.start - blank as u32, end, "");
            }
            false => self.replace(span, ""),
        }
    }
}

impl Draft<'_, '_> {
    /// Replaces an identifier, also where it is both the name and the value of a property.
    pub(super) fn replace_identifier(&mut self, node: NodeId, by: &str) {
        let span = self.tree.span(node);
        let is_shorthand =
            matches!(self.tree.kind(self.tree.parent(node)), AstKind::ObjectProperty(it) if it.shorthand);
        let by = if is_shorthand { format!("{}: {by}", self.tree.at(span)) } else { by.to_owned() };
        self.replace(span, by);
    }

    /// Replaces a variable's name where it is declared.
    pub(super) fn replace_declared(&mut self, symbol: SymbolId, by: &str) {
        for node in self.tree.declarations(symbol) {
            let span = self.tree.declared_name(symbol);
            let is_shorthand = self.tree.inside(self.tree.span(node)).into_iter().any(|inner| {
                matches!(self.tree.kind(inner), AstKind::BindingProperty(it) if it.shorthand && it.span.contains_inclusive(span))
            });
            let by = if is_shorthand { format!("{}: {by}", self.tree.at(span)) } else { by.to_owned() };
            self.replace(span, by);
        }
    }

    /// Notes what holds for every place like this one, at the first.
    pub(super) fn note_once(&mut self, node: NodeId, text: &str) {
        if !self.notes.iter().any(|note| note.text == text) {
            self.note(node, text);
        }
    }

    /// Notes that a denial by UnauthorizedError has another error code.
    pub(super) fn note_denial(&mut self, node: NodeId) {
        if self.tree.at(self.tree.span(node)).contains("UnauthorizedError") {
            self.note_once(node, DENIED);
        }
    }

    /// Removes a statement, which is an expression alone, or leaves `;` where the syntax needs a statement.
    pub(super) fn remove_or_empty(&mut self, expression: NodeId, statement: Span) {
        let around = self.tree.parent(self.tree.parent(expression));
        match self.tree.kind(around) {
            AstKind::FunctionBody(_) | AstKind::BlockStatement(_) | AstKind::SwitchCase(_) => {
                self.remove_statement(statement);
            }
            _ => self.replace(statement, ";"),
        }
    }
}
