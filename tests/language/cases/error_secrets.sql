-- A secret's name becomes a grant: nothing in it may stand for other secrets.
CREATE CONNECTION a TO postgres WITH (secret = 'ops*');
CREATE CONNECTION b TO postgres WITH (secret = 'op?');
CREATE CONNECTION c TO postgres WITH (secret = 'ops" "*');
CREATE CONNECTION d TO postgres WITH (secret = '${ops}');
CREATE CONNECTION e TO postgres WITH (secret = 'team/ops_1+=.@-x');
CREATE WAREHOUSE w USING iceberg WITH (mask_key = 'mask*');
