"""The public names: exactly these, each importable, none of them shadowed by a submodule."""

from __future__ import annotations

import importlib
import pkgutil
import types

import pytest

PUBLIC = {
    "penstock.pipeline": """
        Beam Component DataError FileEntry Files GateFailed Importer Input ModuleFile Output ParameterError
        PenstockError Pipeline Plan PlatformError Resolver Retry Secret Skip Unsupported UserCodeError WiringError
        collect component for_each latest latest_blessed of_run on_exit one_of otherwise pipeline run_status spans
        step when
    """,
    "penstock.components": """
        AvroExampleGen BeamExampleGen BigQueryExampleGen CsvExampleGen CustomExampleGen CustomRule DistributionValidator
        DistributionValidatorConfig EvalArgs Evaluator ExampleDiff ExampleValidator ExamplesDiff
        ExamplesExporter FeatureComparator ImportExampleGen ImportSchemaGen Importer JsonlExampleGen
        LeakageChecks Metric ParquetExampleGen Pusher Resolver SchemaGen SqlExampleGen StatisticsGen StatsOptions
        TrainArgs Trainer Transform
    """,
    "penstock.components.training": """
        DataAccessor FnArgs RecordBatchesOptions TensorFlowDatasetOptions save_model
    """,
    "penstock.artifacts": """
        Artifact Boolean ExampleAnomalies ExampleStatistics Examples ExternalFiles Float HyperParameters InfraBlessing
        Integer JsonValue Model ModelBlessing ModelEvaluation ModelRun PushedModel QuarantinedRows Schema String
        TFRecords TransformCache TransformGraph
    """,
    "penstock.metadata": """
        Artifact ArtifactRecord ExecutionRecord LineageEdge LineageGraph MetadataStore MlmdStore RunRecord StoreError
    """,
    "penstock.runners": """
        InProcessRunner LocalRunner
    """,
    "penstock.data": """
        DataFormatError ShardWriter arrow_schema count_rows read_anomalies read_batches read_schema read_statistics
        split_files split_names
    """,
}


@pytest.mark.parametrize("package", PUBLIC)
def test_exactly_these_names_are_public(package: str) -> None:
    module = importlib.import_module(package)

    exported = [name for name in dir(module) if not name.startswith("_")]

    assert sorted(exported) == sorted(PUBLIC[package].split())


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_can_be_imported(package: str) -> None:
    module = importlib.import_module(package)

    assert all(getattr(module, name) is not None for name in PUBLIC[package].split())


@pytest.mark.parametrize("package", [package for package in PUBLIC if package != "penstock.artifacts"])
def test_no_public_name_is_also_a_submodule(package: str) -> None:
    module = importlib.import_module(package)
    submodules = {found.name for found in pkgutil.iter_modules(module.__path__)}

    both = submodules & set(PUBLIC[package].split())

    assert all(isinstance(getattr(module, name), types.ModuleType) for name in both), both
