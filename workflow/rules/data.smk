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


rule data:
    input:
        unpack(inputs("data")),
    output:
        outputs("data"),
    log:
        "logs/data/{id}.log",
    benchmark:
        "logs/data/{id}.tsv"
    priority: 10  # the long chain data, extractor, train starts first; the toy fills the other core
    conda:
        "../envs/torch.yaml"
    threads: WORKERS
    message:
        "prepare data {wildcards.id}"
    shell:
        "python -m atebm data {input.spec} --workers {threads} > {log} 2>&1"


rule index:
    input:
        unpack(inputs("index")),
    output:
        outputs("index"),
    log:
        "logs/index/{id}.log",
    benchmark:
        "logs/index/{id}.tsv"
    priority: 10
    conda:
        "../envs/torch.yaml"
    message:
        "index the images of {wildcards.id}"
    shell:
        "python -m atebm index {input.spec} > {log} 2>&1"
