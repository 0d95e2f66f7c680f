# Each value here gets into the log, so none of the options stands here: the
# hooks know their defaults.
export DISTRO_NAME=esxi
# Python would look for our package in the folder of whoever builds, first.
export PYTHONSAFEPATH=1
# diskimage-builder says so in root.d and cleanup.d only.
export TARGET_ROOT=${TARGET_ROOT:-${TMP_MOUNT_PATH:-}}
