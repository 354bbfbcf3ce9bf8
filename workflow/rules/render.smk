rule render_table:
    input:
        unpack(drawn("table")),
    output:
        out=report(
            f"{RESULTS}/{{table}}.csv",
            caption="../report/artifact.rst",
            category="Tables",
            labels=shown("all columns"),
        ),
        markdown=f"{RESULTS}/{{table}}.md",
        notebook=f"{RESULTS}/notebooks/{{table}}.ipynb",
        html=report(
            f"{RESULTS}/notebooks/{{table}}.html",
            caption="../report/artifact.rst",
            category="Tables",
            labels=shown("notebook"),
        ),
        provenance=f"{RESULTS}/provenance/{{table}}.json",
    log:
        notebook=f"{DRAWING}/{{table}}.ipynb",  # a log is kept if a cell fails, an output is not
        text=f"{DRAWING}/{{table}}.log",
    conda:
        "../envs/report.yaml"
    params:
        title=title,
    message:
        "render {wildcards}"
    shell:
        "python -m atebm render {input.request} {input.notebook} {log.notebook} {output.out} > {log.text} 2>&1"


use rule render_table as render_figure with:
    input:
        unpack(drawn("figure")),
    output:
        out=report(
            f"{RESULTS}/{{figure}}.png", caption="../report/artifact.rst", category="Figures", labels=shown("picture")
        ),
        vector=f"{RESULTS}/{{figure}}.svg",
        numbers=f"{RESULTS}/{{figure}}.csv",
        notebook=f"{RESULTS}/notebooks/{{figure}}.ipynb",
        html=report(
            f"{RESULTS}/notebooks/{{figure}}.html",
            caption="../report/artifact.rst",
            category="Figures",
            labels=shown("notebook"),
        ),
        provenance=f"{RESULTS}/provenance/{{figure}}.json",
    log:
        notebook=f"{DRAWING}/{{figure}}.ipynb",
        text=f"{DRAWING}/{{figure}}.log",


rule manifest:
    input:
        [unless_stale(MANIFEST, f"{RESULTS}/{provenance(artifact)}") for artifact in PLAN.usual],
        request=unless_stale(MANIFEST, request_file(PLAN, MANIFEST)),
    output:
        f"{RESULTS}/{provenance(MANIFEST)}",
        f"{RESULTS}/metrics.json",
        [f"{RESULTS}/training/{run}.{seed}.csv" for run, seed in PLAN.trainings()],
    log:
        f"{DRAWING}/manifest.log",
    conda:
        "../envs/torch.yaml"
    message:
        "write {output}"
    shell:
        f"python -m atebm manifest {RESULTS} {{input.request}} > {{log}} 2>&1"


rule site:
    input:
        unpack(shown_on_the_page),
    output:
        f"{RESULTS}/{PAGE}",
        f"{RESULTS}/{provenance(SITE)}",
    log:
        f"{DRAWING}/site.log",
    conda:
        "../envs/report.yaml"
    message:
        "write {output}"
    shell:
        f"python -m atebm site {RESULTS} {{input.request}} > {{log}} 2>&1"
