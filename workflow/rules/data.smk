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
