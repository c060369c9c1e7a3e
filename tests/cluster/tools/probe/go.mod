module crosswind.dev/tests/cluster/probe

go 1.22
