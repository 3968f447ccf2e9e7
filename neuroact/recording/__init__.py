"""Records a model: watches its layers' calls, reads them and counts."""
