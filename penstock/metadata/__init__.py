"""What happened: artifact types, execution records, the store on ML Metadata, lineage."""
