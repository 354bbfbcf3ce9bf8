# One rule for each kind of step, with the name of the kind; kinds in shards have a second rule, which joins the shards.
for kind in KINDS.values():

    rule:
        name:
            kind.name
        input:
            unpack(inputs(kind.name)),
        output:
            parts(kind),
        log:
            f"logs/{kind.name}/{part(kind)}.log",
        benchmark:
            f"logs/{kind.name}/{part(kind)}.tsv"
        priority: kind.priority
        conda:
            "../envs/torch.yaml"
        threads: threads_of(kind)
        resources:
            gpu=gpus_of(kind),
        # Values that depend on the kind must be parameters: Snakemake evaluates `shell` when the job runs, after the loop.
        params:
            launch=LAUNCH if kind.gpus == "run" else "python",
            options=options_of(kind),
        message:
            f"{kind.name} {{wildcards.id}}: {kind.computes}; follow it in {{log}}"
        shell:
            "{params.launch} -m atebm step {input.spec} {params.options} > {log} 2>&1"

    if kind.joins:

        rule:
            name:
                kind.join_rule
            input:
                unpack(inputs(kind.name)),
                shards=[f"work/{kind.name}/{{id}}/{shard}.npz" for shard in PLAN.shards()],
            output:
                outputs(kind.name),
            log:
                f"logs/{kind.name}/{{id}}.log",
            conda:
                "../envs/torch.yaml"
            message:
                f"join the shards of {kind.name} {{wildcards.id}}"
            shell:
                "python -m atebm join {input.spec} {input.shards} > {log} 2>&1"
