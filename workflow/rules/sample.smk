rule sample:
    input:
        unpack(inputs("sample")),
    output:
        temp("work/sample/{id}/{shard}.npz"),
    log:
        "logs/sample/{id}.{shard}.log",
    benchmark:
        "logs/sample/{id}.{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=one_gpu,
    message:
        "sample {wildcards.id}, shard {wildcards.shard}; follow it in {log}"
    shell:
        "python -m atebm sample {input.spec} {wildcards.shard} {output} > {log} 2>&1"


rule gather:
    input:
        unpack(inputs("sample")),
        shards=[f"work/sample/{{id}}/{shard}.npz" for shard in PLAN.shards()],
    output:
        outputs("sample"),
    log:
        "logs/sample/{id}.log",
    conda:
        "../envs/torch.yaml"
    message:
        "gather the samples of {wildcards.id}"
    shell:
        "python -m atebm gather {input.spec} {input.shards} > {log} 2>&1"


rule ascent:
    input:
        unpack(inputs("ascent")),
    output:
        outputs("ascent"),
    log:
        "logs/ascent/{id}.log",
    benchmark:
        "logs/ascent/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=one_gpu,
    message:
        "climb f, {wildcards.id}; follow it in {log}"
    shell:
        "python -m atebm ascent {input.spec} > {log} 2>&1"
