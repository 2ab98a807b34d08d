-- What the program makes of a few rows: `atoll test` in this folder.

TEST a_day_of_two_carriers OF lake.ops.carrier_day
  GIVEN lake.ops.flights CSV $$
    id, carrier, dep_delay, time_hour
    1,  AA,      10,        2013-01-01T08:00:00Z
    2,  AA,      20,        2013-01-01T23:00:00Z
    3,  AA,      ,          2013-01-01T09:00:00Z
    4,  UA,      -4,        2013-01-02T00:00:00Z
  $$
  EXPECT CSV $$
    day,                  carrier, flights, departed, minutes_late, mean_delay
    2013-01-01T00:00:00Z, AA,      3,       2,        30,           15
    2013-01-02T00:00:00Z, UA,      1,       1,        -4,           -4
  $$;

TEST a_flight_of_no_carrier_is_noticed OF lake.ops.carrier_day
  GIVEN lake.ops.flights CSV $$
    id, carrier, dep_delay, time_hour
    1,  ,        10,        2013-01-01T08:00:00Z
    2,  AA,      601,       2013-01-01T08:00:00Z
  $$
  EXPECT has_carrier FAILS
  EXPECT plausible_delay FAILS;

TEST deals_are_those_of_airlines_that_are_there OF lake.ops.carrier_score
  GIVEN lake.ops.carrier_day CSV $$
    day,                  carrier, flights, departed, minutes_late
    2013-01-01T00:00:00Z, AA,      3,       2,        30
    2013-01-02T00:00:00Z, AA,      2,       2,        10
    2013-01-02T00:00:00Z, UA,      1,       0,
  $$
  GIVEN lake.crm.account CSV $$
    id, carrier_code__c, name,     type,     _deleted
    a,  AA,              American, Airline,  false
    u,  UA,              United,   Airline,  true
    p,  AA,              Partner,  Customer, false
  $$
  GIVEN lake.crm.opportunity CSV $$
    id, accountid, amount, _deleted
    1,  a,         100.50, false
    2,  a,         20,     false
    3,  a,         7,      true
    4,  u,         9,      false
  $$
  EXPECT CSV $$
    carrier, name,     days, flights, mean_delay, pipeline, deals
    AA,      American, 2,    5,       10,         120.50,   2
    UA,      ,         1,    1,       ,           ,
  $$;
