//! `require` and `import`: compiles modules, and asks the host for the files of npm packages.
//!
//! `prelude/modules.js` decides what a name means; the sources of the built-in modules are in `prelude/modules/`.

use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::convert::List;
use rquickjs::function::Func;
use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::promise::PromiseState;
use rquickjs::{Ctx, Exception, Function, Module, Object, Runtime, Value};

use super::super::built_in::{ABSENT, BuiltIn, RULE_GLOBALS, node_module, npm_package};
use super::super::ipc::{Call, ModuleRequest};
use super::native;
use super::pipe::Pipe;

macro_rules! sources {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../prelude/modules/", $name, ".js")))),*] };
}

/// The built-in modules. One is compiled when a script first needs it.
const BUILT_IN: [(&str, &str); 34] = sources![
    "abort",
    "absent",
    "assert",
    "async_hooks",
    "auth0",
    "axios",
    "buffer",
    "clone",
    "crypto",
    "dom_exception",
    "encoding",
    "events",
    "fetch",
    "http",
    "jsonwebtoken",
    "jwks_rsa",
    "jwt_decode",
    "keys",
    "os",
    "path",
    "process",
    "promises",
    "querystring",
    "request",
    "rule_utilities",
    "slack",
    "stream",
    "string_decoder",
    "timers",
    "url",
    "util",
    "uuid",
    "webcrypto",
    "zlib",
];

/// The property of the global object where the prelude puts the function that resolves and loads what `import` names. Each
/// context has its own.
const IMPORT_HOOK: &str = "vestibule:import";

/// Gives the prelude what it needs for `require` and `import`.
pub(super) fn define<'js>(ctx: &Ctx<'js>, host: &Object<'js>, pipe: &Rc<Pipe>) -> rquickjs::Result<()> {
    host.set("native", native::functions(ctx)?)?;
    host.set("nodeModule", Func::from(|name: String| node_module(&name).map(as_list)))?;
    host.set("npmPackage", Func::from(|name: String| npm_package(&name).map(as_list)))?;
    host.set("compileBuiltIn", Func::from(compile_built_in))?;
    host.set("compile", Func::from(compile))?;
    host.set("importModule", Func::from(import))?;
    let pipe = Rc::clone(pipe);
    let find = move |ctx: Ctx<'js>, from: String, name: String, is_import: bool| {
        find(&ctx, &pipe, ModuleRequest { from, name, is_import })
    };
    host.set("findModule", Func::from(find))?;
    host.set("absentModules", ABSENT.to_vec())?;
    host.set("ruleGlobals", RULE_GLOBALS.map(|(name, module)| vec![name, module]).to_vec())?;
    host.set("importHook", IMPORT_HOOK)
}

/// Lets scripts and packages `import`.
pub(super) fn set_loader(runtime: &Runtime) {
    runtime.set_loader(Modules, Modules);
}

fn as_list(of: BuiltIn) -> List<(&'static str, &'static str, u8)> {
    List((of.file, of.member, of.version))
}

/// `(module, exports, require, host)` of a built-in module; `None` when there is no such.
fn compile_built_in<'js>(ctx: Ctx<'js>, name: String) -> rquickjs::Result<Option<Value<'js>>> {
    let Some((_, source)) = BUILT_IN.iter().find(|(own, _)| *own == name) else { return Ok(None) };
    let source = format!("(function (module, exports, require, host) {{'use strict';{source}\n}})");
    evaluate(&ctx, &format!("vestibule:{name}"), source).map(Some)
}

/// The function around a CommonJS file.
fn compile<'js>(ctx: Ctx<'js>, path: String, source: String) -> rquickjs::Result<Value<'js>> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(&source);
    let comment = if source.starts_with("#!") { "//" } else { "" };
    let start = "(function (exports, require, module, __filename, __dirname) {";
    evaluate(&ctx, &path, format!("{start}{comment}{source}\n}})"))
}

fn evaluate<'js>(ctx: &Ctx<'js>, name: &str, source: String) -> rquickjs::Result<Value<'js>> {
    ctx.eval_with_options(source, options(name))
}

/// Sloppy mode, as in Node.
pub(super) fn options(name: &str) -> EvalOptions {
    let mut options = EvalOptions::default();
    options.strict = false;
    options.filename = Some(name.replace('\0', ""));
    options
}

/// The namespace of an ES module, evaluated at once.
fn import<'js>(ctx: Ctx<'js>, path: String) -> rquickjs::Result<Value<'js>> {
    let source =
        format!("import * as all from {}; import.meta.all = all;", serde_json::Value::from(path.as_str()));
    // A name of its own: the engine returns the first module of a name.
    let module = Module::declare(ctx.clone(), format!("vestibule:import {path}"), source)?;
    let meta = module.meta()?;
    let (_, done) = module.eval()?;
    match done.state() {
        PromiseState::Resolved => meta.get("all"),
        PromiseState::Pending => {
            let problem =
                format!("{path} awaits at its top level; load it with import() instead of require()");
            Err(Exception::throw_message(&ctx, &problem))
        }
        PromiseState::Rejected => done.result::<Value<'js>>().unwrap_or(Err(rquickjs::Error::Unknown)),
    }
}

/// `[path, kind, source]`, or `["", code, message]`.
fn find(ctx: &Ctx<'_>, pipe: &Pipe, request: ModuleRequest) -> rquickjs::Result<Vec<String>> {
    let reply = pipe.ask(Call::Module(request));
    let reply =
        reply.map_err(|error| Exception::throw_message(ctx, &format!("the host is gone: {error}")))?;
    let found = reply.map(|file| serde_json::from_value(file).unwrap_or_default());
    Ok(found.unwrap_or_else(|error| vec![String::new(), error.code, error.message]))
}

/// Resolves and loads what `import` names, through the function that the prelude connected.
struct Modules;

fn call<'js>(ctx: &Ctx<'js>, request: (&str, &str, &str)) -> rquickjs::Result<Vec<Value<'js>>> {
    ctx.globals().get::<_, Function<'js>>(IMPORT_HOOK)?.call(request)
}

impl Resolver for Modules {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        let found = call(ctx, ("locate", base, name))?;
        found.first().ok_or(rquickjs::Error::Unknown)?.get()
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js, Declared>> {
        let provided = call(ctx, ("provide", "", name))?;
        let mut provided = provided.into_iter();
        let source: String = provided.next().ok_or(rquickjs::Error::Unknown)?.get()?;
        let module = Module::declare(ctx.clone(), name, source)?;
        let meta = module.meta()?;
        meta.set("url", format!("file://{name}"))?;
        if let Some(exports) = provided.next() {
            meta.set("exports", exports)?;
        }
        Ok(module)
    }
}
