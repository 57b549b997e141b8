//! Which namespaces are read and written.

use crate::cluster::Namespaces;
use coalmine_core::values::check_label;

/// The namespaces that the daemon watches.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct WatchNamespaces {
    /// Read and write these namespaces alone, each by its own watches, so that Roles in them are enough and no
    /// ClusterRole is needed; of Gloo's own namespace, what its Role there lets the daemon read [default: the whole
    /// cluster]
    #[arg(
        long,
        value_name = "NAME,...",
        env = "COALMINE_WATCH_NAMESPACES",
        value_delimiter = ',',
        value_parser = namespace
    )]
    watch_namespaces: Vec<String>,
}

impl WatchNamespaces {
    /// The namespaces as the cluster is asked for them.
    pub(super) fn namespaces(&self) -> Namespaces {
        Namespaces::named(self.watch_namespaces.iter().cloned())
    }
}

/// One name. An empty one is none: a variable that is cleared by mistake must not mean the whole cluster.
fn namespace(text: &str) -> Result<String, String> {
    let name = text.trim();
    check_label("the name of a namespace", name).map_err(|wrong| {
        format!("{wrong}; without the option and its variable the whole cluster is watched")
    })?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        namespaces: WatchNamespaces,
    }

    fn read(values: &[&str]) -> Result<Namespaces, String> {
        let flags = values.iter().flat_map(|value| ["--watch-namespaces", value]);
        let line = Line::try_parse_from(["it"].into_iter().chain(flags));
        line.map(|it| it.namespaces.namespaces()).map_err(|error| error.to_string())
    }

    #[test]
    fn names_are_separated_by_commas_and_none_means_the_whole_cluster_but_by_leaving_the_option_out()
     {
        let names = |values: &[&str]| {
            let namespaces = read(values).expect("names");
            namespaces.names().map(|names| names.iter().cloned().collect::<Vec<_>>())
        };
        assert_eq!(names(&[]), None);
        let both = Some(vec!["a".to_owned(), "b-2".to_owned()]);
        assert_eq!(names(&["b-2, a,a"]), both);
        assert_eq!(names(&["a", "b-2"]), both);
        for wrong in ["", "a,", "*", "A", "a/b", "team-*"] {
            let error = read(&[wrong]).expect_err(wrong);
            assert!(error.contains("the name of a namespace"), "{error}");
            assert!(error.contains("the whole cluster is watched"), "{error}");
        }
    }
}
