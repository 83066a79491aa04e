"""The terminal's view: records and plans become text, tables and trees."""
