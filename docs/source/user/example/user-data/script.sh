#!/bin/sh
for nic in $(esxcli network nic list | awk 'NR > 2 { print $1 }'); do
    logger -t site "has $nic"
done
