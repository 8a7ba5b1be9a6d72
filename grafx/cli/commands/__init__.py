"""The commands of ``grafx``: options and help, which import nothing that computes before there is something to do."""
