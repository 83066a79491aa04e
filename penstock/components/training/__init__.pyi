from .data_accessor import DataAccessor as DataAccessor
from .data_accessor import RecordBatchesOptions as RecordBatchesOptions
from .data_accessor import TensorFlowDatasetOptions as TensorFlowDatasetOptions
from .export import save_model as save_model
from .fn_args import FnArgs as FnArgs
