//! A rule's source as a syntax tree with resolved names, and edits of its text.

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::{
    AssignmentExpression, BindingPattern, CallExpression, Expression, FormalParameters, FunctionBody,
    IdentifierReference, Statement,
};
use oxc_parser::Parser;
use oxc_semantic::{NodeId, Semantic, SemanticBuilder, SymbolId};
use oxc_span::{GetSpan, SourceType, Span};

use super::note::Note;

/// Auth0's limit of an action's code, in bytes.
const SOURCE_LIMIT: usize = 100_000;
/// How deep brackets may be nested.
const DEPTH: usize = 300;
/// The stack to parse on: other nesting (`!!!…`, `a+a+…`, `else if …`) is as deep as the source is long.
const STACK: usize = 1 << 30;

/// Does work on scripts on a stack of its own, so that no script can exhaust the caller's.
///
/// # Errors
/// A script is too long or nested too deeply, or the thread does not start.
pub(super) fn on_own_stack<T: Send>(scripts: &[&str], work: impl FnOnce() -> T + Send) -> Result<T, Note> {
    let refused = |text: &str| Note { line: 1, text: text.to_owned() };
    for script in scripts {
        if script.len() > SOURCE_LIMIT {
            return Err(refused("it is over 100,000 bytes, which is Auth0's limit for an action"));
        }
        let mut depth = 0_usize;
        for (line, text) in script.lines().enumerate() {
            for byte in text.bytes() {
                match byte {
                    b'(' | b'[' | b'{' => depth += 1,
                    b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth > DEPTH {
                    let text = format!("brackets are nested over {DEPTH} deep");
                    return Err(Note { line: line + 1, text });
                }
            }
        }
    }
    let thread = std::thread::Builder::new().name("convert".to_owned()).stack_size(STACK);
    std::thread::scope(|scope| {
        let worker = thread
            .spawn_scoped(scope, work)
            .map_err(|error| refused(&format!("no thread starts: {error}")))?;
        worker.join().map_err(|_| refused("its conversion failed"))
    })
}

/// A rule's syntax tree.
pub(super) struct Tree<'a> {
    semantic: Semantic<'a>,
    pub(super) text: &'a str,
}

/// The function that a rule is.
pub(super) struct RuleFunction<'a> {
    pub(super) node: NodeId,
    pub(super) span: Span,
    pub(super) is_async: bool,
    /// Its own name, if it has one.
    pub(super) name: Option<SymbolId>,
    pub(super) params: &'a FormalParameters<'a>,
    pub(super) body: &'a FunctionBody<'a>,
}

/// The code of a `then` that became a part of the code around it.
#[derive(Clone, Copy)]
pub(super) enum Then<'a> {
    Statements(&'a FunctionBody<'a>),
    Expression(&'a Expression<'a>),
}

/// `.name` or `[key]` after an object.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    /// The name; `None` when it is computed.
    pub(super) name: Option<&'a str>,
    /// The member expression.
    pub(super) node: NodeId,
    /// The name or the key in the text.
    pub(super) key: Span,
}

/// What happens to an expression.
pub(super) enum Use<'a> {
    Assigned(&'a AssignmentExpression<'a>),
    Called(&'a CallExpression<'a>),
    Deleted,
    /// Changed in another way: `++`, or as part of a pattern.
    Changed,
    Read,
}

impl<'a> Tree<'a> {
    /// Parses a script, or a rule's function as an expression.
    ///
    /// # Errors
    /// It is not JavaScript.
    pub(super) fn parse(allocator: &'a Allocator, text: &'a str) -> Result<Self, Note> {
        let parsed = Parser::new(allocator, text, SourceType::script()).parse();
        let broken = |message: &str, offset: Option<u32>| Note {
            line: line_of(text, offset.unwrap_or(0)),
            text: format!("it does not compile: {message}"),
        };
        if let Some(error) = parsed.diagnostics.errors().next() {
            return Err(broken(&error.message, error.labels.first().map(|label| label.offset())));
        }
        let program = allocator.alloc(parsed.program);
        let built =
            SemanticBuilder::new().with_build_nodes(true).with_check_syntax_error(true).build(program);
        match built.diagnostics.errors().next() {
            Some(error) => Err(broken(&error.message, error.labels.first().map(|label| label.offset()))),
            None => Ok(Self { semantic: built.semantic, text }),
        }
    }

    /// The function that the rule is; `None` when the text is anything else, or its body has no braces.
    pub(super) fn rule_function(&self) -> Option<RuleFunction<'a>> {
        let program = self.semantic.nodes().program();
        let [Statement::ExpressionStatement(statement)] = program.body.as_slice() else { return None };
        match statement.expression.without_parentheses() {
            Expression::FunctionExpression(function) if !function.generator => Some(RuleFunction {
                node: function.node_id(),
                span: function.span,
                is_async: function.r#async,
                name: function.id.as_ref().map(|id| id.symbol_id()),
                params: &function.params,
                body: function.body.as_deref()?,
            }),
            Expression::ArrowFunctionExpression(function) => Some(RuleFunction {
                node: function.node_id(),
                span: function.span,
                is_async: function.r#async,
                name: None,
                params: &function.params,
                body: function.body.as_function_body()?,
            }),
            _ => None,
        }
    }

    /// The nodes within a part of the text.
    pub(super) fn inside(&self, span: Span) -> Vec<NodeId> {
        self.nodes().filter(|(_, kind)| span.contains_inclusive(kind.span())).map(|(id, _)| id).collect()
    }

    /// The outermost expression that is this part of the text.
    pub(super) fn node_at(&self, span: Span) -> Option<NodeId> {
        self.nodes()
            .find(|(_, kind)| kind.span() == span && !matches!(kind, AstKind::IdentifierName(_)))
            .map(|(id, _)| id)
    }

    /// The value of a `const`.
    pub(super) fn constant(&self, symbol: SymbolId) -> Option<&'a Expression<'a>> {
        let node = self.semantic.scoping().symbol_declaration(symbol);
        let declarator = match self.kind(node) {
            AstKind::VariableDeclarator(it) => it,
            _ => match self.kind(self.parent(node)) {
                AstKind::VariableDeclarator(it) => it,
                _ => return None,
            },
        };
        let is_plain = matches!(declarator.id, BindingPattern::BindingIdentifier(_));
        let is_const = !self.semantic.scoping().symbol_is_mutated(symbol);
        declarator.init.as_ref().filter(|_| is_plain && is_const)
    }

    /// The places where a variable is used.
    pub(super) fn references(&self, symbol: SymbolId) -> Vec<NodeId> {
        self.semantic.symbol_references(symbol).map(|reference| reference.node_id()).collect()
    }

    /// The places where a name is used that the rule does not declare.
    pub(super) fn global_references(&self, name: &str) -> Vec<NodeId> {
        let scoping = self.semantic.scoping();
        let all = scoping.root_unresolved_references();
        let ids = all.iter().filter(|(own, _)| own.as_str() == name).flat_map(|(_, ids)| ids);
        ids.map(|id| scoping.get_reference(*id).node_id()).collect()
    }

    /// The variables with this name.
    pub(super) fn symbols_named(&self, name: &str) -> Vec<SymbolId> {
        let scoping = self.semantic.scoping();
        scoping.symbol_ids().filter(|id| scoping.symbol_name(*id) == name).collect()
    }

    /// Where a variable is declared.
    pub(super) fn declarations(&self, symbol: SymbolId) -> Vec<NodeId> {
        self.semantic.scoping().symbol_declarations(symbol).collect()
    }

    /// The name in a variable's declaration.
    pub(super) fn declared_name(&self, symbol: SymbolId) -> Span {
        self.semantic.scoping().symbol_span(symbol)
    }

    /// The variable an identifier refers to; `None` for a global.
    pub(super) fn symbol_of(&self, identifier: &IdentifierReference<'_>) -> Option<SymbolId> {
        self.semantic.scoping().get_reference(identifier.reference_id()).symbol_id()
    }

    /// Whether a node is the class in `new UnauthorizedError(…)`.
    pub(super) fn is_error_class(&self, node: NodeId) -> bool {
        matches!(self.kind(node), AstKind::IdentifierReference(it) if it.name.ends_with("Error"))
            && matches!(self.kind(self.parent(node)), AstKind::NewExpression(it) if it.callee.span() == self.span(node))
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = (NodeId, AstKind<'a>)> + '_ {
        self.semantic.nodes().iter().map(|node| (node.id(), node.kind()))
    }

    pub(super) fn kind(&self, node: NodeId) -> AstKind<'a> {
        self.semantic.nodes().kind(node)
    }

    pub(super) fn span(&self, node: NodeId) -> Span {
        self.kind(node).span()
    }

    /// The node around this one, parentheses and `?.` groups left out.
    pub(super) fn parent(&self, node: NodeId) -> NodeId {
        let mut parent = self.semantic.nodes().parent_id(node);
        while matches!(self.kind(parent), AstKind::ParenthesizedExpression(_) | AstKind::ChainExpression(_)) {
            parent = self.semantic.nodes().parent_id(parent);
        }
        parent
    }

    /// The nodes around this one, inner ones first.
    pub(super) fn ancestors(&self, node: NodeId) -> impl Iterator<Item = (NodeId, AstKind<'a>)> + '_ {
        self.semantic.nodes().ancestors(node).map(|node| (node.id(), node.kind()))
    }

    /// The function around a node.
    pub(super) fn function_around(&self, node: NodeId) -> Option<NodeId> {
        self.ancestors(node)
            .find(|(_, kind)| matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_)))
            .map(|(id, _)| id)
    }

    /// The statement that is this expression alone.
    pub(super) fn statement_of(&self, expression: NodeId) -> Option<Span> {
        match self.kind(self.parent(expression)) {
            AstKind::ExpressionStatement(statement) => Some(statement.span),
            _ => None,
        }
    }

    /// The members after an object: of `user.a[b].c()` the steps `a`, `b`, `c`.
    pub(super) fn chain(&self, root: NodeId) -> Vec<Step<'a>> {
        let (mut steps, mut current) = (Vec::new(), root);
        loop {
            let (parent, span) = (self.parent(current), self.span(current));
            let inside =
                |object: &Expression<'_>| object.without_parentheses().span().contains_inclusive(span);
            match self.kind(parent) {
                AstKind::StaticMemberExpression(member) if inside(&member.object) => steps.push(Step {
                    name: Some(member.property.name.as_str()),
                    node: parent,
                    key: member.property.span,
                }),
                AstKind::ComputedMemberExpression(member) if inside(&member.object) => {
                    let name = match &member.expression {
                        Expression::StringLiteral(literal) => Some(literal.value.as_str()),
                        _ => None,
                    };
                    steps.push(Step { name, node: parent, key: member.expression.span() });
                }
                _ => return steps,
            }
            current = parent;
        }
    }

    /// What happens to an expression.
    pub(super) fn use_of(&self, node: NodeId) -> Use<'a> {
        let span = self.span(node);
        match self.kind(self.parent(node)) {
            AstKind::AssignmentExpression(it) if it.left.span() == span => Use::Assigned(it),
            AstKind::CallExpression(it) if it.callee.span().contains_inclusive(span) => Use::Called(it),
            AstKind::UnaryExpression(it) if it.operator.as_str() == "delete" => Use::Deleted,
            AstKind::UpdateExpression(_)
            | AstKind::ArrayAssignmentTarget(_)
            | AstKind::ObjectAssignmentTarget(_)
            | AstKind::AssignmentTargetPropertyProperty(_)
            | AstKind::AssignmentTargetPropertyIdentifier(_)
            | AstKind::AssignmentTargetWithDefault(_) => Use::Changed,
            AstKind::ForInStatement(it) if it.left.span() == span => Use::Changed,
            AstKind::ForOfStatement(it) if it.left.span() == span => Use::Changed,
            _ => Use::Read,
        }
    }

    pub(super) fn at(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The line of a place in the text, from 1.
    pub(super) fn line(&self, offset: u32) -> usize {
        line_of(self.text, offset)
    }

    /// The white space before the statement that begins in this place's line.
    pub(super) fn indentation(&self, offset: u32) -> &'a str {
        let before = self.text.get(..offset as usize).unwrap_or_default();
        let line = self.text.get(before.rfind('\n').map_or(1, |at| at + 1)..).unwrap_or_default();
        line.get(..line.len() - line.trim_start_matches([' ', '\t']).len()).unwrap_or_default()
    }
}

fn line_of(text: &str, offset: u32) -> usize {
    text.get(..offset as usize).unwrap_or_default().matches('\n').count() + 1
}

/// The variable of a parameter that is a plain name.
pub(super) fn parameter(params: &FormalParameters<'_>, index: usize) -> Option<SymbolId> {
    match &params.items.get(index)?.pattern {
        BindingPattern::BindingIdentifier(identifier) => Some(identifier.symbol_id()),
        _ => None,
    }
}

/// Replacements of parts of a text.
#[derive(Default)]
pub(super) struct Edits(Vec<(u32, u32, String)>);

impl Edits {
    pub(super) fn replace(&mut self, start: u32, end: u32, by: impl Into<String>) {
        self.0.push((start, end, by.into()));
    }

    /// The part of the text from `start` to `end` with the replacements. Of two that overlap, the first one wins.
    pub(super) fn apply(mut self, text: &str, start: u32, end: u32) -> String {
        // At one place: insertions in their order, then the longest replacement.
        self.0.sort_by(|a, b| (a.0, a.0 != a.1, b.1).cmp(&(b.0, b.0 != b.1, a.1)));
        let (mut out, mut at) = (String::new(), start);
        for (from, to, by) in self.0 {
            if to > end || to < at || (to == at && from < at) {
                continue;
            }
            out.push_str(text.get(at as usize..from as usize).unwrap_or_default());
            out.push_str(&by);
            at = to;
        }
        out + text.get(at as usize..end as usize).unwrap_or_default()
    }
}
