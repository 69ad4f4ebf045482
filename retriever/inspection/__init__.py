"""The data doctor: what is wrong with a data set before it is trained on."""
