"""What the last run in a root came to: metrics by island, blessing, push, lineage, and how to predict.

Usage: python demo.py ROOT
"""

import json
import os
import sys

from penstock.metadata import LineageGraph, MlmdStore

# A Gentoo. The same bird for the `raw` signature, as tensors, and for `serving_default`, as a tf.Example.
IN_PYTHON = """{bin}/python -c "import tensorflow as tf; t = tf.constant; \
print(tf.saved_model.load('{folder}').signatures['raw'](island=t([['Biscoe']]), sex=t([['female']]), \
bill_length_mm=t([[46.1]]), bill_depth_mm=t([[13.2]]), flipper_length_mm=t([[211]], tf.int64), \
body_mass_g=t([[4500]], tf.int64)))\""""
IN_A_SHELL = """{bin}/saved_model_cli run --dir {folder} --tag_set serve --signature_def serving_default \
--input_examples 'examples=[{{"island": ["Biscoe"], "sex": ["female"], "bill_length_mm": [46.1], \
"bill_depth_mm": [13.2], "flipper_length_mm": [211], "body_mass_g": [4500]}}]'"""


def main(root: str) -> None:
    """Print it."""
    with MlmdStore.open(os.path.join(root, "metadata.db"), create=False) as store:
        last = store.runs("penguins", limit=1)[0]
        made = {step.step: step.outputs for step in store.executions(last.id)}
        verdict, pushed = made["Evaluator"], made["Pusher"]["pushed_model"][0]
        print("\n".join(metrics_lines(os.path.join(root, verdict["evaluation"][0].uri, "metrics.json"))))
        blessing = verdict["blessing"][0].properties
        print(f"{'Blessed' if blessing['blessed'] else 'Not blessed'}: {'; '.join(blessing['reasons'])}")
        folder = os.path.relpath(pushed.properties["pushed_destination"])
        print(f"Pushed to {folder}; where it came from (more: penstock lineage {folder} --root {root}):")
        print("\n".join(lineage_lines(store.lineage([pushed.id]), pushed.id, "  ", set())))
    print("Predict with it, in Python or by a command; TensorFlow is all they need:")
    for command in (IN_PYTHON, IN_A_SHELL):
        print("  " + command.format(folder=folder, bin=os.path.relpath(os.path.dirname(sys.executable))))


def metrics_lines(path: str) -> list[str]:
    """Return a table of accuracy and loss, overall and by island."""
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    rows = [("all islands", report["overall"])]
    rows += [(each["slice"]["island"], each["metrics"]) for each in report["slices"]]
    lines = [f"{name:12} {m['example_count']:4}    {m['accuracy']:.3f}  {m['loss']:.4f}" for name, m in rows]
    return ["", f"{'eval split':12} {'rows':>4} {'accuracy':>8}  {'loss':>6}", *lines]


def lineage_lines(graph: LineageGraph, artifact: int, indent: str, seen: set[int]) -> list[str]:
    """Return an artifact with what it was made from below it, each artifact once."""
    seen.add(artifact)
    found = graph.artifacts[artifact]
    kind, _, digest = found.digest.partition(":")
    lines = [f"{indent}{found.type}  {kind}:{digest[:12]}" + (f"  by {found.step}" if found.step else "")]
    for file in found.properties.get("files", []) if found.type == "ExternalFiles" else []:
        lines.append(f"{indent}  {file['name']}  sha256:{file['sha256']}")
    for maker in graph.producers(artifact)[:1]:
        for source in graph.inputs_of(maker.ulid):
            if source.id not in seen:
                lines += lineage_lines(graph, source.id, indent + "  ", seen)
    return lines


if __name__ == "__main__":
    main(sys.argv[1])
