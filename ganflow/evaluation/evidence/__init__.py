"""The inputs of metrics: samples, the features of these and of the data, and what else is known of both."""
