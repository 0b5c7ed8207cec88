# SPDX-License-Identifier: Apache-2.0
# Writes OUTPUT, a C file with the files of FOLDER: the list `assets` of ctl/web/assets.h. The path of
# each has the first digits of its SHA-256, so that browsers may keep it for ever.
file(GLOB names RELATIVE "${FOLDER}" "${FOLDER}/*")
set(arrays "")
set(rows "")
set(number 0)
foreach(name ${names})
  file(READ "${FOLDER}/${name}" hex HEX)
  file(SHA256 "${FOLDER}/${name}" digest)
  string(SUBSTRING "${digest}" 0 12 digest)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const unsigned char asset_${number}[] = {${bytes}};\n")
  string(APPEND rows "    {\"${name}\", \"/assets/${digest}-${name}\", asset_${number}, sizeof asset_${number}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${OUTPUT}" "#include \"ctl/web/assets.h\"\n\n${arrays}\nconst struct asset assets[] = {\n${rows}    {0, 0, 0, 0}};\n")
