"""The artifact types, for users: `from penstock.artifacts import Examples, Model`."""

from penstock.metadata.artifact_types import (
    Artifact as Artifact,
)
from penstock.metadata.artifact_types import (
    Boolean as Boolean,
)
from penstock.metadata.artifact_types import (
    ExampleAnomalies as ExampleAnomalies,
)
from penstock.metadata.artifact_types import (
    Examples as Examples,
)
from penstock.metadata.artifact_types import (
    ExampleStatistics as ExampleStatistics,
)
from penstock.metadata.artifact_types import (
    ExternalFiles as ExternalFiles,
)
from penstock.metadata.artifact_types import (
    Float as Float,
)
from penstock.metadata.artifact_types import (
    HyperParameters as HyperParameters,
)
from penstock.metadata.artifact_types import (
    InfraBlessing as InfraBlessing,
)
from penstock.metadata.artifact_types import (
    Integer as Integer,
)
from penstock.metadata.artifact_types import (
    JsonValue as JsonValue,
)
from penstock.metadata.artifact_types import (
    Model as Model,
)
from penstock.metadata.artifact_types import (
    ModelBlessing as ModelBlessing,
)
from penstock.metadata.artifact_types import (
    ModelEvaluation as ModelEvaluation,
)
from penstock.metadata.artifact_types import (
    ModelRun as ModelRun,
)
from penstock.metadata.artifact_types import (
    PushedModel as PushedModel,
)
from penstock.metadata.artifact_types import (
    QuarantinedRows as QuarantinedRows,
)
from penstock.metadata.artifact_types import (
    Schema as Schema,
)
from penstock.metadata.artifact_types import (
    String as String,
)
from penstock.metadata.artifact_types import (
    TFRecords as TFRecords,
)
from penstock.metadata.artifact_types import (
    TransformCache as TransformCache,
)
from penstock.metadata.artifact_types import (
    TransformGraph as TransformGraph,
)
