rule attack:
    input:
        unpack(inputs("attack")),
    output:
        temp("work/attack/{id}/{shard}.npz"),
    log:
        "logs/attack/{id}.{shard}.log",
    benchmark:
        "logs/attack/{id}.{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=one_gpu,
    message:
        "attack {wildcards.id}, shard {wildcards.shard}; follow it in {log}"
    shell:
        "python -m atebm attack {input.spec} {wildcards.shard} {output} > {log} 2>&1"


use rule gather as gather_scores with:
    input:
        unpack(inputs("attack")),
        shards=[f"work/attack/{{id}}/{shard}.npz" for shard in PLAN.shards()],
    output:
        outputs("attack"),
    log:
        "logs/attack/{id}.log",
    message:
        "gather the scores of {wildcards.id}"


rule detection:
    input:
        unpack(inputs("detection")),
    output:
        outputs("detection"),
    log:
        "logs/detection/{id}.log",
    benchmark:
        "logs/detection/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    message:
        "compute how well {wildcards.id} detects"
    shell:
        "python -m atebm detection {input.spec} > {log} 2>&1"


rule overview:
    input:
        unpack(inputs("overview")),
    output:
        outputs("overview"),
    log:
        "logs/overview/{id}.log",
    conda:
        "../envs/torch.yaml"
    message:
        "draw {output[0]}"
    shell:
        "python -m atebm overview {input.spec} > {log} 2>&1"
