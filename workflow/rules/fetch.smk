# Only what no one has put there by hand; what a form or a browser is needed for fails here, with what to do.
rule fetch:
    output:
        "data/archives/{file}",
    log:
        "logs/fetch/{file}.log",
    retries: 2  # goes on where the connection was lost
    localrule: True  # the nodes of a cluster have no way to the internet
    conda:
        "../envs/fetch.yaml"
    message:
        "fetch {wildcards.file}; follow it in {log}"
    shell:
        "python -m atebm fetch {wildcards.file} > {log} 2>&1"
