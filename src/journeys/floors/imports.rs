//! What a source imports from its own crate: use trees, paths in code, and paths in the tokens of macros and attributes.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Item, ItemExternCrate, ItemMod, ItemUse, LitStr, Macro, Meta, Path, Token, UseTree,
    VisRestricted,
};

/// The library's name, as the executable knows it.
const CRATE: &str = "vestibule";

/// Paths below the crate's root that a source at `module` names, `*` for a glob. An empty path is the root itself.
pub(super) fn of(text: &str, module: &[String]) -> syn::Result<Vec<Vec<String>>> {
    let file = syn::parse_file(text)?;
    let mut imports = Imports { module: module.to_vec(), found: Vec::new() };
    imports.visit_file(&file);
    Ok(imports.found)
}

struct Imports {
    module: Vec<String>,
    found: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.attributes(&item.attrs);
        self.tree(&item.tree, &mut Vec::new());
    }

    /// `extern crate self as house` would give the root another name.
    fn visit_item_extern_crate(&mut self, item: &'ast ItemExternCrate) {
        if item.ident == "self" || item.ident == CRATE {
            self.found.push(Vec::new());
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        // The crate's name alone is a variable: a crate is no value and no type.
        if !path.is_ident(CRATE) {
            self.name(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        visit::visit_macro(self, call);
        self.tokens(call.tokens.clone(), false);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            Meta::Path(_) => {}
            // Prose may speak of any room.
            meta if meta.path().is_ident("doc") => {}
            Meta::List(list) => self.tokens(list.tokens.clone(), true),
            Meta::NameValue(value) => self.tokens(quote_tokens(&value.value), true),
        }
    }

    /// `pub(in crate::store)` shows something to a room; it imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            // `macro_rules!` bodies and what syn does not know are tokens.
            Item::Verbatim(tokens) => self.tokens(tokens.clone(), false),
            item => visit::visit_item(self, item),
        }
    }
}

impl Imports {
    fn attributes(&mut self, attributes: &[Attribute]) {
        for attribute in attributes {
            self.visit_attribute(attribute);
        }
    }

    fn tree(&mut self, tree: &UseTree, prefix: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.tree(&path.tree, prefix);
                prefix.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(item, prefix)),
            // A rename hides nothing: what counts is what is named.
            UseTree::Rename(rename) => self.leaf(prefix, &rename.ident.to_string()),
            UseTree::Name(name) => self.leaf(prefix, &name.ident.to_string()),
            UseTree::Glob(_) => self.leaf(prefix, "*"),
        }
    }

    fn leaf(&mut self, prefix: &[String], last: &str) {
        self.name([prefix, &[last.to_owned()]].concat());
    }

    /// Notes a path, if it is one of this crate's.
    fn name(&mut self, path: Vec<String>) {
        let mut segments = path.into_iter().peekable();
        let mut at = match segments.next().as_deref() {
            Some("crate" | CRATE) => Vec::new(),
            Some("self") => self.module.clone(),
            Some("super") => above(self.module.clone()),
            _ => return,
        };
        while let Some(step) = segments.next_if(|segment| segment == "super" || segment == "self") {
            at = if step == "super" { above(at) } else { at };
        }
        // `use crate::store::{self}` names `store`.
        at.extend(segments.filter(|segment| segment != "self"));
        self.found.push(at);
    }

    /// Paths among tokens that nobody has parsed. `strings`: whether literals may hold paths (`#[serde(with = "…")]`).
    fn tokens(&mut self, tokens: TokenStream, strings: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut i = 0;
        while let Some(token) = tokens.get(i) {
            i += 1;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream(), strings),
                TokenTree::Ident(first) => {
                    let mut path = vec![first.to_string()];
                    while let Some(next) = after_colons(&tokens, i) {
                        match next {
                            TokenTree::Ident(segment) => path.push(segment.to_string()),
                            TokenTree::Punct(star) if star.as_char() == '*' => path.push("*".to_owned()),
                            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                                self.group(&mut path, group.stream());
                                path.clear();
                            }
                            _ => break,
                        }
                        i += 3;
                    }
                    // `self` and `crate` alone are a receiver or a visibility here.
                    if path.len() > 1 {
                        self.name(path);
                    }
                }
                TokenTree::Literal(literal) if strings => self.string(literal.clone().into()),
                _ => {}
            }
        }
    }

    /// `{store, auth0::Client as C}` after a path.
    fn group(&mut self, prefix: &mut Vec<String>, tokens: TokenStream) {
        if let Ok(trees) = Punctuated::<UseTree, Token![,]>::parse_terminated.parse2(tokens) {
            trees.iter().for_each(|tree| self.tree(tree, prefix));
        }
    }

    fn string(&mut self, literal: TokenTree) {
        let text = syn::parse2::<LitStr>(literal.into()).map(|literal| literal.value());
        if let Some(tokens) = text.ok().and_then(|text| text.parse().ok()) {
            self.tokens(tokens, false);
        }
    }
}

fn above(mut module: Vec<String>) -> Vec<String> {
    module.pop();
    module
}

/// The token at `i` and after `::`.
fn after_colons(tokens: &[TokenTree], i: usize) -> Option<&TokenTree> {
    let is_colon =
        |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    (is_colon(tokens.get(i)) && is_colon(tokens.get(i + 1))).then(|| tokens.get(i + 2)).flatten()
}

/// An attribute's value is an expression; of these only literals and macros occur, and both matter as tokens.
fn quote_tokens(value: &syn::Expr) -> TokenStream {
    match value {
        syn::Expr::Lit(literal) => match &literal.lit {
            syn::Lit::Str(text) => TokenTree::from(text.token()).into(),
            _ => TokenStream::new(),
        },
        syn::Expr::Macro(call) => call.mac.tokens.clone(),
        _ => TokenStream::new(),
    }
}
