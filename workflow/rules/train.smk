rule extractor:
    input:
        unpack(inputs("extractor")),
    output:
        outputs("extractor"),
    log:
        "logs/extractor/{id}.log",
    benchmark:
        "logs/extractor/{id}.tsv"
    priority: 10
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=one_gpu,
    message:
        "train the extractor {wildcards.id}; follow it in {log}"
    shell:
        "python -m atebm extractor {input.spec} > {log} 2>&1"


rule pretrain:
    input:
        unpack(inputs("pretrain")),
    output:
        outputs("pretrain"),
    log:
        "logs/pretrain/{id}.log",
    benchmark:
        "logs/pretrain/{id}.tsv"
    priority: 10
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=gpus_of_a_run,
    params:
        launch=LAUNCH,
    message:
        "pre-train a classifier, {wildcards.id}; follow it in {log}"
    shell:
        "{params.launch} -m atebm pretrain {input.spec} > {log} 2>&1"


# One thread: on CPU two jobs of one thread beat one of two, and the bytes do not depend on --cores.
rule train:
    input:
        unpack(inputs("train")),
    output:
        outputs("train"),
    log:
        "logs/train/{id}.log",
    benchmark:
        "logs/train/{id}.tsv"
    priority: 10
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=gpus_of_a_run,
    params:
        launch=LAUNCH,
    message:
        "train {wildcards.id}; follow it in {log}"
    shell:
        "{params.launch} -m atebm train {input.spec} > {log} 2>&1"
