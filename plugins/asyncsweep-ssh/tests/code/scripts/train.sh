#!/bin/sh
pwd
echo "{\"value\": $1}"
