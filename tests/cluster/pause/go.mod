module github.com/scap-images/scap.images/tests/cluster/pause

go 1.26.0
