//! Tools that check what is no Rust: the chart, workflows, Dockerfiles, scripts.
//!
//! Each has one pinned release and is built or installed once, into a folder of the cache that
//! carries the release in its name; a folder gets its name when it is whole. The Go tools want a
//! newer Go than Debian has: where the machine's is too old, one comes from PyPI, into the cache
//! as everything else.
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::{self, Shell};

/// A program that is built from its module.
#[derive(Debug)]
struct GoTool {
    name: &'static str,
    module: &'static str,
    version: &'static str,
    /// Its package within the module.
    package: &'static str,
    /// Whether its go.mod replaces modules, which `go install` refuses.
    replaces: bool,
    /// The sums of the module itself and of its go.mod, where the public database has none.
    sums: Option<[&'static str; 2]>,
}

const GO_TOOLS: [GoTool; 6] = [
    GoTool {
        name: "helm",
        module: "helm.sh/helm/v4",
        version: "v4.3.1",
        package: "cmd/helm",
        replaces: false,
        sums: None,
    },
    GoTool {
        name: "kubeconform",
        module: "github.com/yannh/kubeconform",
        version: "v0.8.0",
        package: "cmd/kubeconform",
        replaces: false,
        sums: None,
    },
    GoTool {
        name: "kube-score",
        module: "github.com/zegl/kube-score",
        version: "v1.20.0",
        package: "cmd/kube-score",
        replaces: false,
        sums: None,
    },
    GoTool {
        name: "helm-docs",
        module: "github.com/norwoodj/helm-docs",
        version: "v1.14.2",
        package: "cmd/helm-docs",
        replaces: false,
        sums: None,
    },
    GoTool {
        name: "helm-unittest",
        module: "github.com/helm-unittest/helm-unittest",
        version: "v1.1.2",
        package: "cmd/helm-unittest",
        replaces: true,
        sums: None,
    },
    GoTool {
        name: "actionlint",
        module: "github.com/rhysd/actionlint",
        version: "v1.7.12",
        package: "cmd/actionlint",
        replaces: false,
        sums: None,
    },
];

/// What a stand-in for an image is made of, and controllers of a cluster; built when they are asked
/// for, which takes some ten minutes each.
const GO_PARTS: [GoTool; 5] = [
    // The last minor release whose controller is part of its published module. What the chart says
    // to it is the same since.
    GoTool {
        name: "cert-manager",
        module: "github.com/cert-manager/cert-manager",
        version: "v1.11.5",
        package: "cmd/controller",
        replaces: true,
        sums: None,
    },
    // The same sources as Jaeger 2.13.0, which is no version that Go knows.
    GoTool {
        name: "jaeger",
        module: "github.com/jaegertracing/jaeger",
        version: "v1.76.0",
        package: "cmd/jaeger",
        replaces: true,
        sums: None,
    },
    GoTool {
        name: "kube-router",
        module: "github.com/cloudnativelabs/kube-router/v2",
        version: "v2.1.0",
        package: "cmd/kube-router",
        replaces: true,
        sums: Some([
            "h1:xWsptKtmZ44L+NjwFKoFAFlVdxCz8fka9A/eYJe95Ok=",
            "h1:JU/k2Qqcph0myF1cRDLidz1SZdoSrPczuYcGxYRSP0A=",
        ]),
    },
    GoTool {
        name: "traefik",
        module: "github.com/traefik/traefik/v3",
        version: "v3.6.12",
        package: "cmd/traefik",
        replaces: true,
        sums: None,
    },
    GoTool {
        name: "pebble",
        module: "github.com/letsencrypt/pebble/v2",
        version: "v2.10.1",
        package: "cmd/pebble",
        replaces: false,
        sums: None,
    },
];

/// The kinds of the Gateway API: module, release, folder. Later ones want a Go that nothing else here
/// needs.
pub const GATEWAY_API: (&str, &str, &str) =
    ("sigs.k8s.io/gateway-api", "v1.4.0", "config/crd/standard");

/// The oldest Go that builds all of them.
const GO_MIN: (u32, u32) = (1, 26);
const GO_LIST: &str = "libs/xtask/tools/go.txt";
const PYTHON_LIST: &str = "libs/xtask/tools/requirements.txt";

/// The files of the module that one of the Go tools comes from.
pub fn go_files(shell: &Shell, name: &str) -> Result<PathBuf> {
    let mut tools = GO_TOOLS.iter().chain(&GO_PARTS);
    tools.find(|tool| tool.name == name).context("no such tool")?.files(shell)
}

/// The program of one of the Go tools; built first if it is missing, which takes minutes.
pub fn go_tool(shell: &Shell, name: &str) -> Result<PathBuf> {
    let mut tools = GO_TOOLS.iter().chain(&GO_PARTS);
    let tool = tools.find(|tool| tool.name == name).context("no such tool")?;
    let folder = super::cache()?.join(format!("tools/{name}-{}", tool.version));
    let program = folder.join(name);
    if !program.is_file() {
        eprintln!("parts: building {name} {} into {}, once", tool.version, folder.display());
        whole(&folder, |begun| tool.build(shell, begun))?;
    }
    Ok(program)
}

/// Makes sure of all of them.
pub fn all(shell: &Shell) -> Result<()> {
    GO_TOOLS.iter().try_for_each(|tool| go_tool(shell, tool.name).map(drop))?;
    python_list(shell, PYTHON_LIST, "python")?;
    super::prometheus(shell)
}

/// Makes sure of all of them, and prints where they are.
pub fn show(shell: &Shell) -> Result<()> {
    all(shell)?;
    for tool in &GO_TOOLS {
        println!("{}", go_tool(shell, tool.name)?.display());
    }
    for name in ["hadolint", "shellcheck"] {
        println!("{}", python_tool(shell, name)?.display());
    }
    Ok(())
}

/// A folder of the cache that is filled once for each `mark`, which says all that it follows from.
pub fn made_once(
    name: &str,
    mark: &str,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let folder = super::cache()?.join("tools").join(super::sdk::name(name, mark));
    if !folder.is_dir() {
        whole(&folder, fill)?;
    }
    Ok(folder)
}

/// The folder with a `go` that is new enough: the machine's, or one of the cache.
pub fn go_folder(shell: &Shell) -> Result<PathBuf> {
    let ours = shell::output(shell.command("", "go", &["env", "GOVERSION", "GOROOT"]));
    if let Ok(text) = ours
        && let Some((version, root)) = text.trim().split_once('\n')
        && release(version).is_some_and(|release| release >= GO_MIN)
    {
        return Ok(Path::new(root).join("bin"));
    }
    let folder = site_packages(&python_list(shell, GO_LIST, "go")?)?.join("go/bin");
    if !folder.join("go").is_file() {
        bail!("{GO_LIST} gave no {}", folder.join("go").display());
    }
    Ok(folder)
}

/// The folder of one Go module's files, as published.
pub fn go_module(shell: &Shell, module: &str, version: &str) -> Result<PathBuf> {
    downloaded(shell, &format!("{module}@{version}"), &std::env::temp_dir())
}

/// The folder of what was asked for, as the module of `place` knows it.
fn downloaded(shell: &Shell, wish: &str, place: &Path) -> Result<PathBuf> {
    let mut command = go(shell, &["mod", "download", "-json", wish])?;
    command.env("GOFLAGS", "-mod=mod").current_dir(place);
    let answer: serde_json::Value = serde_json::from_str(&shell::output(command)?)?;
    let folder = answer["Dir"].as_str().with_context(|| format!("{wish} has no folder"))?;
    Ok(PathBuf::from(folder))
}

/// A program of the Python packages.
pub fn python_tool(shell: &Shell, name: &str) -> Result<PathBuf> {
    Ok(python_list(shell, PYTHON_LIST, "python")?.join("bin").join(name))
}

/// Where the schemas of Kubernetes' own kinds lie, by release.
pub fn kubernetes_schemas(shell: &Shell) -> Result<PathBuf> {
    let packages = site_packages(&python_list(shell, PYTHON_LIST, "python")?)?;
    Ok(packages.join("kubernetes_validate/kubernetes-json-schema"))
}

impl GoTool {
    /// The folder of its module's files.
    fn files(&self, shell: &Shell) -> Result<PathBuf> {
        let Some(sums) = self.sum_lines() else {
            return go_module(shell, self.module, self.version);
        };
        // Where the sums are at hand nobody is asked for them.
        let place = tempfile::tempdir()?;
        let needs =
            format!("module roomcast.test/sums\nrequire {} {}\n", self.module, self.version);
        std::fs::write(place.path().join("go.mod"), needs)?;
        std::fs::write(place.path().join("go.sum"), sums)?;
        downloaded(shell, self.module, place.path())
    }

    /// Its own lines of a `go.sum`.
    fn sum_lines(&self) -> Option<String> {
        let [files, needs] = self.sums?;
        let of = format!("{} {}", self.module, self.version);
        Some(format!("{of} {files}\n{of}/go.mod {needs}\n"))
    }

    fn build(&self, shell: &Shell, into: &Path) -> Result<()> {
        let flags = ["-trimpath", "-ldflags", "-s -w"];
        let package = format!("{}/{}", self.module, self.package);
        if !self.replaces {
            let wish = format!("{package}@{}", self.version);
            let mut command = go(shell, &[&["install"], &flags[..], &[&wish]].concat())?;
            command.env("GOBIN", into);
            return shell::run(command);
        }
        // A module of ours with the same go.mod, replacements included, needs the tool and builds it.
        let module = self.files(shell)?;
        let given = std::fs::read_to_string(module.join("go.mod"))?;
        let (_, rest) = given.split_once('\n').context("an empty go.mod")?;
        let wish = format!("require {} {}", self.module, self.version);
        let source = tempfile::tempdir()?;
        let ours = format!("module roomcast.test/{}\n{rest}\n{wish}\n", self.name);
        std::fs::write(source.path().join("go.mod"), ours)?;
        // Its own sums hold for what it was released with.
        let sums = std::fs::read_to_string(module.join("go.sum"))?;
        let sums = sums + &self.sum_lines().unwrap_or_default();
        std::fs::write(source.path().join("go.sum"), sums)?;
        let tools = format!("//go:build tools\n\npackage tools\n\nimport _ \"{package}\"\n");
        std::fs::write(source.path().join("tools.go"), tools)?;
        let program = into.join(self.name).to_string_lossy().into_owned();
        let args = [&["build"], &flags[..], &["-o", &program, &package]].concat();
        let mut command = go(shell, &args)?;
        command.env("GOFLAGS", "-mod=mod").current_dir(source.path());
        shell::run(command)
    }
}

/// A command of `go`, which takes itself as it is and makes programs that stand alone.
fn go(shell: &Shell, args: &[&str]) -> Result<std::process::Command> {
    let program = go_folder(shell)?.join("go");
    let program = program.to_string_lossy();
    // Others measure or wait while it builds.
    let mut command = shell.command("", "nice", &[&["-n", "15", &program], args].concat());
    command.env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local").env_remove("GOROOT");
    Ok(command)
}

/// `go1.26.8` -> (1, 26).
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("go")?.split(['.', 'r', 'b']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// A Python of its own with the packages of a list; installed first if it is missing.
fn python_list(shell: &Shell, list: &str, kind: &str) -> Result<PathBuf> {
    let text = std::fs::read_to_string(shell.root().join(list)).context(list.to_owned())?;
    let folder = super::cache()?.join("tools").join(super::sdk::name(kind, &text));
    if folder.is_dir() {
        return Ok(folder);
    }
    super::python_venv(shell)?;
    eprintln!("parts: installing {list} into {}, once", folder.display());
    whole(&folder, |begun| {
        let into = begun.to_str().context("the cache's path is no text")?;
        shell::run(shell.command("", "/usr/bin/python3", &["-m", "venv", into]))?;
        let python = format!("{into}/bin/python");
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
        shell::run(shell.command("", &python, &[&pip[..], &["-r", list]].concat()))
    })?;
    Ok(folder)
}

/// Where a Python of its own keeps its packages.
fn site_packages(folder: &Path) -> Result<PathBuf> {
    let lib = std::fs::read_dir(folder.join("lib"))?.next().context("an empty venv")??;
    Ok(lib.path().join("site-packages"))
}

/// Fills a folder under another name and gives it its own when it is whole. Who fills the same one
/// at the same time gives way to the first.
fn whole(folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = folder.parent().context("a folder without a parent")?;
    std::fs::create_dir_all(parent)?;
    let begun = tempfile::tempdir_in(parent)?;
    fill(begun.path())?;
    match std::fs::rename(begun.path(), folder) {
        // The name is the folder's own now: nothing is left to be removed.
        Ok(()) => drop(begun.keep()),
        Err(_) if folder.is_dir() => {}
        Err(error) => return Err(error).with_context(|| folder.display().to_string()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_go_is_known_by_its_release() {
        assert_eq!(release("go1.19.8"), Some((1, 19)));
        assert_eq!(release("go1.26"), Some((1, 26)));
        assert!(release("go1.26rc1").is_some_and(|release| release >= GO_MIN));
        assert!(release("go1.19.8").is_some_and(|release| release < GO_MIN));
        assert_eq!(release("devel +abc"), None);
    }

    #[test]
    fn a_folder_has_its_name_only_when_it_is_whole() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("tool-1");
        assert!(whole(&folder, |_| bail!("broken")).is_err());
        assert!(!folder.exists());
        whole(&folder, |begun| Ok(std::fs::write(begun.join("x"), "1")?)).unwrap();
        whole(&folder, |begun| Ok(std::fs::write(begun.join("x"), "2")?)).unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("x")).unwrap(), "1");
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
    }
}
